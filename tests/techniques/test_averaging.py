"""Averages of the weights are what their papers say; masked steps and evaluation leave what they must alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.checks.conftest import small_digits
from tests.engine.conftest import Make, run, same, weights
from tests.techniques.averaging import GO, SKIP, after_step, close, flat, floats, wander
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.evaluate import evaluate
from workbench.engine.state import Checkpoints
from workbench.engine.train import train
from workbench.events import Evaluated, Stopped, Trained
from workbench.optimizers.averages import Average
from workbench.step import StepContext
from workbench.techniques.ema import EMA, average_decay

SCHEDULES = ["decay=0.9", "every=3", "start=0.3", "warmup=true", "every=2 start=0.2 warmup=true"]


@pytest.mark.parametrize("settings", SCHEDULES)
def test_ema_is_its_definition_and_masked_steps_do_not_count(make: Make, settings: str) -> None:
    built = make("ema", extra=tuple(f"techniques.ema.{setting}" for setting in settings.split()))
    built = built.with_(steps=20)
    ema: Any = built.recipe.techniques["ema"]
    begin = {"start=0.3": 6, "every=2 start=0.2 warmup=true": 4}.get(settings, 0)
    expected = floats(built)
    for step in range(20):
        skip = SKIP if step in (3, 11) else GO
        wander(built, step)
        after_step(built, step, skip)
        averaged = step + 1 - begin
        if skip is SKIP or (averaged > 0 and averaged % ema.every):
            continue
        present = floats(built)
        before = averaged - ema.every
        decay = min(ema.decay, (1 + before) / (10 + before)) if ema.warmup else ema.decay
        decay = decay**ema.every if averaged > 0 else 0.0
        expected = {name: decay * expected[name] + (1 - decay) * present[name] for name in expected}
        assert close(built.in_checkpoints["ema"].state_dict(), expected), step
    assert not close(built.in_checkpoints["ema"].state_dict(), floats(built), atol=0.1)


def test_a_masked_step_leaves_an_average_alone_even_where_weights_are_not_finite(make: Make) -> None:
    for name in ("ema", "swa", "lookahead"):
        built = make(name, extra=("techniques.lookahead.every=1",) if name == "lookahead" else ())
        last = built.steps - 1
        wander(built, 0)
        after_step(built, last, GO)
        before = {k: v.clone() for k, v in flat(built.in_checkpoints[name].state_dict()).items()}
        with torch.no_grad():
            for weight in built.model.parameters():
                weight.fill_(float("nan"))
        after_step(built, last, SKIP)
        assert same(flat(built.in_checkpoints[name].state_dict()), before)
        assert all(torch.isfinite(value).all() for value in before.values())
        assert all(torch.isnan(weight).all() for weight in built.model.parameters())


def test_evaluation_sees_the_average_and_training_is_left_as_it_was(make: Make) -> None:
    built = make("ema", extra=("train.epochs=1",))
    run(built)
    before = weights(built)
    found = evaluate(built, "test")
    assert same(weights(built), before)
    other = make(extra=("train.epochs=1",))
    other.model.load_state_dict(before)
    assert evaluate(other, "test") != found
    other.model.load_state_dict({**before, **built.in_checkpoints["ema"].state_dict()})
    assert evaluate(other, "test") == found
    with pytest.raises(ZeroDivisionError), built.hooks.evaluation_weights(built.model):
        assert not same(weights(built), before)
        raise ZeroDivisionError
    assert same(weights(built), before)


def test_evaluating_more_often_changes_no_weight_of_a_run_with_ema(make: Make) -> None:
    few = small_digits(400, 64)
    plain, averaged = make(dataset=few), make("ema", extra=("train.eval_every=0.2",), dataset=few)
    run(plain)
    run(averaged)
    assert same(weights(plain), weights(averaged))


def test_before_its_start_ema_is_the_weights(make: Make) -> None:
    few = small_digits(400, 64)
    built = make("ema", extra=("techniques.ema.start=0.6", "techniques.ema.every=2"), dataset=few)
    plain = make(dataset=few)
    expected = [e for e in run(plain) if isinstance(e, Evaluated)]
    found = [e for e in run(built) if isinstance(e, Evaluated)]
    assert (found[0].loss, found[0].accuracy) == (expected[0].loss, expected[0].accuracy)
    assert found[-1].loss != expected[-1].loss


def test_the_decay_of_the_average_over_a_run() -> None:
    def decays(**settings: Any) -> list[float]:
        technique = EMA(**settings)
        return [1 - technique.weight(StepContext(step, 10, 5)) for step in range(10)]

    assert decays(decay=0.9, start=0.4, warmup=False) == pytest.approx([0] * 4 + [0.9] * 6)
    assert decays(decay=0.9, every=3, warmup=False) == pytest.approx([1, 1, 0.729, 1, 1, 0.729, 1, 1, 0.729, 1])
    assert decays(decay=0.25, warmup=True) == pytest.approx(
        [0.1, 2 / 11, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]
    )
    # whatever `every` is, the average forgets as fast
    assert math.prod(average_decay(StepContext(s, 60, 5), 0.95, 4, 0.0) for s in range(60)) == pytest.approx(0.95**60)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_average_of_fp16_tensors_moves_in_fp32(memory_format: torch.memory_format) -> None:
    goal = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)).half() + 2
    weight = torch.zeros(4, 3, 3, 3).half().to(memory_format=memory_format)
    scale = torch.ones(())
    average = Average()
    average.follow({"weight": weight, "scale": scale})
    weight.copy_(goal)
    for _ in range(1000):
        average.move(0.001)
    state = average.state_dict()
    assert state["weight"].dtype == torch.float32
    assert torch.allclose(state["weight"], goal.float() * (1 - 0.999**1000), rtol=1e-4, atol=0)
    assert torch.equal(state["scale"], torch.ones(()))
    stalled = torch.zeros(4, 3, 3, 3).half()
    for _ in range(1000):
        stalled.lerp_(goal, 0.001)
    assert not torch.allclose(stalled.float(), goal.float() * (1 - 0.999**1000), rtol=1e-2)
    average.put(frozen=True)
    assert torch.equal(weight, state["weight"].half())


@pytest.mark.parametrize(
    "names", [("ema",), ("swa",), ("lookahead",), ("lookahead", "ema"), ("lookahead", "swa", "sam")]
)
def test_averages_resume_to_the_bit_from_a_step_between_two_updates(
    make: Make, tmp_path: Path, names: tuple[str, ...]
) -> None:
    settings = {"ema": "ema.every=4", "swa": "swa.start=0.3", "lookahead": "lookahead.every=4", "sam": "sam.rho=0.1"}
    extra = ("train.epochs=3", "train.log_every=1", *(f"techniques.{settings[name]}" for name in names))
    whole, first, second = (make(*names, extra=extra, dataset=small_digits(400, 64)) for _ in range(3))
    run(whole)
    control, checkpoints = Control(), Checkpoints(tmp_path / "checkpoints")

    def stop(event: object) -> None:
        if isinstance(event, Trained) and event.step >= whole.steps * 0.6:
            control.stop()

    last = run(first, control, checkpoints, on_event=stop)[-1]
    assert isinstance(last, Stopped)
    assert last.step % 4
    run(second, resume=checkpoints.load())
    assert same(weights(second), weights(whole))
    for name in set(names) - {"sam"}:
        assert same(flat(second.in_checkpoints[name].state_dict()), flat(whole.in_checkpoints[name].state_dict()))


@pytest.mark.parametrize("name", ["ema", "swa", "lookahead"])
@pytest.mark.parametrize("half", ["bf16", "fp16"])
def test_averages_of_16_bit_weights_are_kept_in_32(make: Make, name: str, half: str) -> None:
    extra = (f"techniques.half_weights.dtype={half}", "train.epochs=1")
    built = make(name, "half_weights", extra=extra, dataset=small_digits(128, 32))
    built = built.with_(steps=4)
    with backend(built.recipe):
        events = list(train(built, Control()))
    assert math.isfinite(events[-1].test_loss)  # type: ignore[union-attr]
    state = flat(built.in_checkpoints[name].state_dict())
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(torch.isfinite(value).all() for value in state.values())
    assert built.model.output.weight.dtype in (torch.float16, torch.bfloat16)  # type: ignore[union-attr]
