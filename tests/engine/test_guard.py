"""Non-finite numbers: nothing that was trained is lost, and the layer and the batch are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.engine.conftest import Make, run, same, weights
from workbench.engine.guard import MAX_SKIPS, Guard, step_unless_nonfinite
from workbench.engine.replay import replay
from workbench.engine.state import Checkpoints
from workbench.engine.train_state import TrainState
from workbench.events import CheckpointSaved, Diverged, Trained


def poison_at(step: int, make_small: Make, where: str, *overrides: str) -> tuple[object, dict[str, Tensor]]:
    """Train with a layer that breaks at a step; return the last event and the weights before that step."""
    healthy = make_small(*overrides)
    snapshots: dict[int, dict[str, Tensor]] = {}
    healthy.hooks.after_step.add(
        lambda context, skip: snapshots.__setitem__(context.step + 1, weights(healthy)), name="snapshot"
    )
    run(healthy)
    broken = make_small(*overrides)
    state = TrainState.of(broken)

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits, targets)
        return loss * float("nan") if state.step == step else loss

    if where == "loss":
        broken.hooks.criterion.add(criterion, 0, "broken")
    elif where == "layer":
        broken.model.block2[0].register_forward_hook(  # type: ignore[union-attr,index]
            lambda m, i, o: o * float("inf") if state.step in (step, 999) else o
        )
    else:
        broken.model.hidden[1].weight.register_hook(  # type: ignore[union-attr,index]
            lambda g: g * float("nan") if state.step == step else g
        )
    events = run(broken, state=state)
    assert same(weights(broken), snapshots[step])
    return events[-1], snapshots[step]


@pytest.mark.parametrize("where", ["loss", "layer", "gradient"])
def test_weights_and_statistics_stay_those_before_the_bad_step(make_small: Make, where: str) -> None:
    last, state = poison_at(13, make_small, where)
    assert isinstance(last, Diverged)
    assert last.step == 13
    assert all(torch.isfinite(value.float()).all() for value in state.values())


def test_a_diverging_learning_rate_names_layer_batch_and_remedy(make_small: Make, tmp_path: Path) -> None:
    # a decay of 1 at this rate multiplies the weights by −999 a step
    build = make_small(
        "techniques.sgd.learning_rate=1000", "techniques.sgd.weight_decay=1", "techniques.batch_norm.enabled=false"
    )
    events = run(build, checkpoints=Checkpoints(tmp_path))
    end = events[-1]
    assert isinstance(end, Diverged)
    assert end.what in ("loss", "gradient")
    assert end.layer.split(".")[0] in dict(build.model.named_children())
    assert len(end.indices) == 64
    assert len(set(end.indices)) == 64
    assert "lower the learning rate" in end.reason
    assert all(torch.isfinite(value).all() for value in weights(build).values())
    assert not any(isinstance(e, CheckpointSaved) for e in events)


def test_gradients_that_are_finite_one_by_one_but_not_together_are_named_so(make_small: Make) -> None:
    build = make_small()
    with torch.no_grad():
        build.model.output.weight.copy_(torch.arange(10.0)[:, None] * 1e25)  # type: ignore[union-attr]
        build.model.hidden[1].weight.mul_(1e-10)  # type: ignore[union-attr,index]
    found = replay(build, 0, scaled_out=False)
    assert (found.what, found.layer) == ("gradient", "all layers")
    assert "so large that their norm is not finite" in found.reason


@pytest.mark.slow
def test_scaler_overflows_are_skips_and_twenty_in_a_row_are_divergence(make_small: Make) -> None:
    fp16 = (
        "techniques.mixed_precision.dtype=fp16",
        "techniques.mixed_precision.initial_scale=4294967296.0",
        "train.epochs=3",
    )
    events = run(make_small(*fp16))
    skipped = sum(e.skipped for e in events if isinstance(e, Trained))
    assert 0 < skipped < MAX_SKIPS
    assert not any(isinstance(e, Diverged) for e in events)
    build = make_small("techniques.mixed_precision.dtype=fp16", "train.epochs=3")
    build.model.output.weight.register_hook(lambda g: g * float("inf"))  # type: ignore[union-attr]
    end = run(build)[-1]
    assert isinstance(end, Diverged)
    assert (end.step, end.what) == (MAX_SKIPS - 1, "gradient")


def model_and_guard() -> tuple[nn.Module, Guard]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    return model, Guard(model, torch.device("cpu"), scaled=False)


def test_the_flag_stays_up_and_masks_running_statistics() -> None:
    model, guard = model_and_guard()
    guard.begin(5)
    guard.snapshot_buffers()
    before = model[1].running_mean.clone()  # type: ignore[index]
    loss = model(torch.full((8, 3), float("nan"))).sum()
    loss.backward()
    skip = guard.check_finite(loss.detach(), list(model.parameters()))
    assert float(skip) == 1
    assert torch.equal(model[1].running_mean, before)  # type: ignore[index]
    guard.snapshot_buffers()
    model.zero_grad()
    good = model(torch.randn(8, 3)).sum()
    good.backward()
    assert float(guard.check_finite(good.detach(), list(model.parameters()))) == 1
    assert guard.bad_step() == 5


class Sluggish(torch.optim.Optimizer):
    """A user's own optimizer that knows nothing of masks, with a state."""

    def __init__(self, params: object) -> None:
        super().__init__(params, {"lr": 0.1})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p].setdefault("mean", torch.zeros_like(p))
                state.mul_(0.9).add_(p.grad)
                p.add_(state, alpha=-0.1)


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, fused=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
        Sluggish,
    ],
    ids=["fused sgd", "sgd", "fused adamw", "own"],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_masked_step_is_no_step(make_optimizer: object, first: bool) -> None:
    def prepared() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        return model, make_optimizer(model.parameters())  # type: ignore[operator]

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, factor: float, skip: float) -> None:
        optimizer.zero_grad()
        (model(torch.ones(4, 3)).square().sum() * factor).backward()
        step_unless_nonfinite(optimizer, torch.tensor(skip))

    masked, plain = prepared(), prepared()
    for round_ in range(4):
        if round_ == (0 if first else 2):
            step(*masked, float("nan"), 1.0)
        step(*masked, 1.0, 0.0)
        step(*plain, 1.0, 0.0)
    assert torch.equal(masked[0].weight, plain[0].weight)  # type: ignore[arg-type]


FINITE = [0.0, -0.0, 1.0, -3.5, 6e-8, -6e-8, 1e-45, 65504.0, -65504.0, 3.3e38, -3.3e38]
"""Zeros, subnormal numbers and the largest of each format among them; what a format cannot hold is left out of it."""
NOT_FINITE = [float("inf"), float("-inf"), float("nan"), -float("nan")]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_only_what_is_not_finite_raises_the_flag(dtype: torch.dtype, device: str) -> None:
    values = torch.tensor([x for x in FINITE if abs(x) <= torch.finfo(dtype).max] + NOT_FINITE, dtype=dtype)
    for value in values:
        parameter = nn.Parameter(torch.zeros(2, device=device))
        for loss, gradient in ((value, 0.0), (torch.zeros((), dtype=dtype), float(value))):
            if 1e18 < abs(gradient) < float("inf"):  # its square, and so the norm, is infinite in 32 bits
                continue
            guard = Guard(nn.Identity(), torch.device(device), scaled=False)
            guard.begin(4)
            given = loss.to(device)
            parameter.grad = torch.tensor([gradient, 0.0], device=device)
            skip = guard.check_finite(given, [parameter])
            assert skip.dtype == torch.float32
            assert float(skip) == float(not torch.isfinite(value)), (value, loss)
            assert guard.bad_step() == (None if torch.isfinite(value) else 4)
            assert given.dtype == dtype
            assert torch.equal(given.cpu(), loss) or bool(loss.isnan())
