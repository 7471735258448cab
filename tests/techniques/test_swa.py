"""Stochastic weight averaging ends with the mean of the weights and with statistics that belong to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.engine.conftest import Make, run, same, weights
from tests.techniques.averaging import close, floats
from tests.techniques.table import refusal, trial
from workbench.step import StepContext
from workbench.techniques.swa import SWA, measure_statistics


def test_swa_ends_with_the_mean_of_the_weights_at_the_ends_of_epochs(make: Make) -> None:
    built = make("swa", extra=("train.epochs=6", "techniques.swa.start=0.4", "techniques.swa.every=2"))
    seen: list[dict[str, Tensor]] = []
    ends = [3 * built.steps_per_epoch - 1, 5 * built.steps_per_epoch - 1]
    built.hooks.after_step.add(
        lambda context, skip: seen.append(floats(built)) if context.step in ends else None, rank=99, name="test"
    )
    run(built)
    names = dict(built.model.named_parameters())
    expected = {name: (seen[0][name] + seen[1][name]) / 2 for name in names}
    assert len(seen) == 2
    assert close({name: value.detach() for name, value in names.items()}, expected, atol=1e-6)
    assert not close({name: value.detach() for name, value in names.items()}, {n: seen[1][n] for n in names}, 1e-3)


def test_swas_statistics_are_those_of_one_whole_epoch(make: Make) -> None:
    built = make("swa", "horizontal_flip")
    run(built)
    running = floats(built)
    again = make("swa", "horizontal_flip")
    again.model.load_state_dict(weights(built))
    again.model.train()
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            x = inputs[0].detach().double().transpose(0, 1).flatten(1)
            seen.setdefault(name, []).append((x.mean(dim=1), x.var(dim=1, unbiased=True)))

        return hook

    norms = {n: m for n, m in again.model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)}
    for name, module in norms.items():
        module.register_forward_pre_hook(watch(name))
    images = 0
    for batch in again.one_more_epoch():
        again.model(batch)
        images += len(batch)
    assert images == len(again.training)
    assert len(norms) == 7
    for name, values in seen.items():
        assert len(values) == again.steps_per_epoch
        mean = torch.stack([m for m, _ in values]).mean(dim=0)
        variance = torch.stack([v for _, v in values]).mean(dim=0)
        assert torch.allclose(running[f"{name}.running_mean"], mean, rtol=0, atol=1e-5)
        assert torch.allclose(running[f"{name}.running_var"], variance, rtol=1e-5, atol=1e-6)
        assert int(built.model.state_dict()[f"{name}.num_batches_tracked"]) == again.steps_per_epoch


def test_measuring_statistics_is_torchs_and_puts_modes_and_momenta_back() -> None:
    batches = [torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(n)) for n in (8, 8, 5)]

    def network() -> nn.Sequential:
        torch.manual_seed(0)
        layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=0.3), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
        return nn.Sequential(*layers, nn.BatchNorm2d(2, track_running_stats=False))

    ours, theirs = network(), network()
    ours[1].eval()
    measure_statistics(ours, batches)
    torch.optim.swa_utils.update_bn(batches, theirs)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], value, rtol=0, atol=1e-6)
    assert [m.training for m in ours] == [True, False, True, True, True]
    assert (ours[1].momentum, ours[3].momentum) == (0.3, 0.1)  # type: ignore[union-attr]


def test_a_run_that_ends_before_swas_start_keeps_its_weights(make: Make) -> None:
    built, plain = make("swa"), make()
    for one in (built, plain):
        one = one.with_(steps=built.steps_per_epoch - 1)
        run(one)
    assert same(weights(built), weights(plain))


def test_which_epochs_swa_gathers() -> None:
    def epochs(steps: int, **settings: Any) -> list[int]:
        technique = SWA(**settings)
        return [(step + 1) // 4 for step in range(steps) if technique.gathers(StepContext(step, steps, 4))]

    assert epochs(40) == [8, 9, 10]
    assert epochs(40, start=0.7, every=2) == [7, 9]
    assert epochs(40, start=0.0) == list(range(1, 11))
    assert epochs(42, start=0.9) == [10]
    recipe = trial("swa", extra=("train.epochs=1.5",))
    assert not list(SWA(start=0.5).problems(recipe))
    assert [key for key, _ in SWA(start=0.75).problems(recipe)] == ["start"]


def test_swa_with_ema_is_refused_with_the_reason() -> None:
    assert "never be seen" in str(refusal("swa", "ema"))
