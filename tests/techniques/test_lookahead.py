"""Lookahead is its definition, leaves frozen layers alone and comes before other averages."""

from __future__ import annotations

import torch

from tests.engine.conftest import Make, run, same, weights
from tests.techniques.averaging import GO, SKIP, after_step, close, floats, wander


def test_lookahead_is_its_definition(make: Make) -> None:
    built = make("lookahead", extra=("techniques.lookahead.every=3", "techniques.lookahead.alpha=0.3"))
    slow = {name: weight.detach().double() for name, weight in built.model.named_parameters()}
    for step in range(11):
        wander(built, step)
        fast = floats(built)
        skip = SKIP if step == 5 else GO
        after_step(built, step, skip)
        if step in (2, 8):
            slow = {name: slow[name] + 0.3 * (fast[name] - slow[name]) for name in slow}
            fast |= slow
        assert close(floats(built), fast), step
    for function in built.hooks.finish:
        function(built.one_more_epoch)
    end = {name: slow[name] + 0.3 * (fast[name] - slow[name]) for name in slow}
    assert close({name: w.detach() for name, w in built.model.named_parameters()}, end)
    before = weights(built)
    for function in built.hooks.finish:
        function(built.one_more_epoch)
    assert same(weights(built), before)


def test_lookahead_with_alpha_one_is_no_lookahead(make: Make) -> None:
    with_it, without = make("lookahead", extra=("techniques.lookahead.alpha=1.0",)), make()
    run(with_it)
    run(without)
    assert same(weights(with_it), weights(without))


def test_lookahead_leaves_frozen_layers_where_they_were_frozen(make: Make) -> None:
    built = make("lookahead")
    wander(built, 0)
    built.model.block1.requires_grad_(False)  # type: ignore[union-attr]
    before = weights(built)
    after_step(built, 4, GO)
    for name, value in weights(built).items():
        trained = name in dict(built.model.named_parameters()) and not name.startswith("block1")
        assert torch.equal(value, before[name]) != trained, name


def test_averages_come_after_lookahead(make: Make) -> None:
    extra = ("techniques.lookahead.every=2", "techniques.ema.decay=0.0", "train.epochs=1")
    built = make("lookahead", "ema", extra=extra)
    wander(built, 0)
    after_step(built, 1, GO)
    state = built.in_checkpoints["ema"].state_dict()
    assert all(torch.equal(state[name], weight) for name, weight in built.model.named_parameters())
    slow = built.in_checkpoints["lookahead"].state_dict()
    assert all(torch.equal(state[name], value) for name, value in slow.items())
