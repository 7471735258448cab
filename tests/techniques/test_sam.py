"""Sharpness-aware minimisation against its definition, its norms' statistics, and under a loss scaler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.checks.conftest import feeding, small_digits
from tests.engine.conftest import run, same
from tests.techniques.table import trial
from workbench.engine.build import _gather_statistics, build
from workbench.engine.guard import Guard, step_unless_nonfinite
from workbench.events import Finished, Trained
from workbench.techniques.sam import sharpness_aware

Compute = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def network(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5), nn.BatchNorm1d(5))
    model = nn.Sequential(*layers, nn.Linear(5, 3)).to(dtype)
    _gather_statistics(model)
    return model


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(16, 1, 6, 6, generator=generator), torch.randint(0, 3, (16,), generator=generator)


def computing(model: nn.Module, scale: float = 1.0, passes: list[dict[str, Tensor]] | None = None) -> Compute:
    """Forward and backward as the training loop has it; notes the model's state before each pass."""

    def compute(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        assert all(weight.grad is None for weight in model.parameters())
        if passes is not None:
            passes.append({name: value.clone() for name, value in model.state_dict().items()})
        logits = model(images)
        loss = cross_entropy(logits.float(), targets)
        (loss * scale).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), logits.detach()

    return compute


def reference(model: nn.Sequential, rho: float, adaptive: bool) -> list[Tensor]:
    """The paper's gradient at w + ε, one parameter after the other, in float64."""
    model = model.double()
    images, targets = batch()
    weights = list(model.parameters())

    def gradient() -> list[Tensor]:
        return list(torch.autograd.grad(cross_entropy(model(images.double()), targets), weights))

    sizes = [w.abs() + 0.01 if adaptive else torch.ones_like(w) for w in weights]
    g = gradient()
    length = sum(float((s * x).detach().square().sum()) for s, x in zip(sizes, g, strict=True)) ** 0.5
    with torch.no_grad():
        for w, s, x in zip(weights, sizes, g, strict=True):
            w += rho * s**2 * x / length
    return gradient()


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("rho", [0.05, 2.0])
@pytest.mark.parametrize("scale", [1.0, 65536.0])
def test_the_gradient_is_the_definitions_whatever_the_loss_scale(rho: float, adaptive: bool, scale: float) -> None:
    model = network()
    sharpness_aware(computing(model, scale), *batch(), model, rho, adaptive=adaptive)
    expected = reference(network(), rho, adaptive)
    plain = reference(network(), 0.0, adaptive)
    far = 0.0
    for weight, wanted, without in zip(model.parameters(), expected, plain, strict=True):
        assert weight.grad is not None
        assert torch.allclose(weight.grad.double() / scale, wanted, rtol=2e-4, atol=2e-6)
        far = max(far, float((wanted - without).abs().max()))
    assert far > 1e-3


def test_weights_come_back_to_the_bit_and_loss_and_logits_are_the_first_passs() -> None:
    model, plain = network(), network()
    expected_loss, expected_logits = computing(plain)(*batch())
    passes: list[dict[str, Tensor]] = []
    loss, logits = sharpness_aware(computing(model, passes=passes), *batch(), model, 0.5)
    assert torch.equal(loss, expected_loss)
    assert torch.equal(logits, expected_logits)
    assert len(passes) == 2
    parameters = dict(model.named_parameters())
    assert all(torch.equal(weight, passes[0][name]) for name, weight in parameters.items())
    way = torch.cat([(passes[1][name] - passes[0][name]).flatten() for name in parameters])
    assert float(way.norm()) == pytest.approx(0.5, rel=1e-5)


def test_running_statistics_are_those_of_the_first_pass_alone() -> None:
    model, once, twice = network(), network(), network()
    sharpness_aware(computing(model), *batch(), model, 0.5)
    computing(once)(*batch())
    for _ in range(2):
        twice(batch()[0])
    found, buffers = dict(model.named_buffers()), dict(once.named_buffers())
    assert all(torch.equal(found[name], value) for name, value in buffers.items())
    assert not any(torch.equal(found[name], value) for name, value in twice.named_buffers())


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_gradient_of_zero_moves_nothing(adaptive: bool) -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" not in name}
    sharpness_aware(computing(model, scale=0.0), *batch(), model, 100.0, adaptive=adaptive)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items() if "num" not in name)
    assert all(bool((weight.grad == 0).all()) for weight in model.parameters())


@pytest.mark.parametrize(("scale", "rho"), [(512.0, 0.5), (0.02, 100.0)])
def test_fp16_weights_go_up_by_rho_and_come_back(scale: float, rho: float) -> None:
    """Also where the factor on the gradient is beyond fp16's range."""
    model = network(dtype=torch.float16)
    images, targets = batch()
    passes: list[dict[str, Tensor]] = []
    sharpness_aware(computing(model, scale=scale, passes=passes), images.half(), targets, model, rho)
    parameters = dict(model.named_parameters())
    assert all(torch.equal(weight, passes[0][name]) for name, weight in parameters.items())
    way = torch.cat([(passes[1][name].float() - passes[0][name].float()).flatten() for name in parameters])
    assert float(way.norm()) == pytest.approx(rho, rel=0.01)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_first_gradient_that_is_not_finite_is_a_skipped_step(adaptive: bool, bad: float) -> None:
    """Also where the second one would be finite: a hook spoils one entry of one gradient, in the first pass alone."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    guard = Guard(model, torch.device("cpu"), scaled=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    calls = []

    def spoil(gradient: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 1:
            return torch.zeros_like(gradient)
        return gradient.index_put((torch.tensor(0),), torch.tensor(bad))

    model[6].bias.register_hook(spoil)
    guard.snapshot_buffers()

    def compute(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(images).nan_to_num(0, 0, 0) if calls else model(images)
        loss = cross_entropy(logits, targets)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), logits.detach()

    loss, _ = sharpness_aware(compute, *batch(), model, 0.05, adaptive=adaptive)
    assert len(calls) == 2
    assert torch.isfinite(loss)
    scaler.unscale_(optimizer)
    skip = guard.check_finite(loss, list(model.parameters()))
    step_unless_nonfinite(optimizer, skip)
    scaler.update()
    assert float(skip) == 1
    assert scaler.get_scale() == 512.0
    assert same(dict(model.state_dict()), before)


def test_frozen_parameters_stay_and_the_rest_goes_up_alone() -> None:
    model = network()
    model[0].requires_grad_(False)
    passes: list[dict[str, Tensor]] = []
    sharpness_aware(computing(model, passes=passes), *batch(), model, 0.5)
    assert torch.equal(passes[0]["0.weight"], passes[1]["0.weight"])
    assert not torch.equal(passes[0]["4.weight"], passes[1]["4.weight"])
    assert model[0].weight.grad is None
    assert model[4].weight.grad is not None


@pytest.mark.slow
def test_a_run_in_fp16_finds_its_loss_scale(tmp_path: Path) -> None:
    extra = ("techniques.mixed_precision.dtype=fp16", "techniques.mixed_precision.initial_scale=16777216")
    built = build(feeding(trial("sam", "mixed_precision", extra=extra), small_digits()), "cpu", tmp_path)
    events = run(built)
    built.close()
    assert isinstance(events[-1], Finished)
    assert events[-1].test_accuracy > 0.3
    assert sum(event.skipped for event in events if isinstance(event, Trained)) > 0
    assert all(bool(torch.isfinite(value).all()) for value in built.model.state_dict().values())
