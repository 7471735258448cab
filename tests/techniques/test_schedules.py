"""Learning-rate schedules against torch's, and never a rate of 0 for a whole epoch of warm-up."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tests.techniques.table import trial
from workbench.step import StepContext
from workbench.techniques.constant import Constant
from workbench.techniques.cosine import Cosine
from workbench.techniques.one_cycle import OneCycle
from workbench.techniques.piecewise_linear import PiecewiseLinear
from workbench.techniques.step_decay import StepDecay

Schedule = Cosine | StepDecay | Constant | OneCycle | PiecewiseLinear


def rates(technique: Schedule, epochs: int, per_epoch: int = 4) -> list[float]:
    return [technique._factor(StepContext(step, epochs * per_epoch, per_epoch)) for step in range(epochs * per_epoch)]


def torchs(make: object, epochs: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)  # type: ignore[operator]
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_cosine_by_epoch_is_torchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.1), 20)
    assert rates(Cosine(minimum=0.1), 20)[::4] == pytest.approx(expected)


def test_cosine_by_step_is_torchs_with_steps_for_epochs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=80), 80)
    assert rates(Cosine(every="step"), 20) == pytest.approx(expected)


def test_warm_up_rises_from_above_zero_to_the_peak() -> None:
    by_epoch = rates(Cosine(warmup_epochs=5), 20)[::4]
    assert by_epoch[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    by_step = rates(Cosine(warmup_epochs=5, every="step"), 20)
    assert by_step[0] > 0
    assert by_step[20] == 1
    assert all(a < b for a, b in pairwise(by_step[:21]))
    assert max(by_step) == 1


def test_a_warm_up_from_zero_is_kept_for_those_who_want_the_scripts_fault() -> None:
    by_epoch = rates(Cosine(warmup_epochs=5, warmup_from_zero=True), 20)[::4]
    assert by_epoch[:6] == pytest.approx([0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1])
    by_step = rates(Cosine(warmup_epochs=5, warmup_from_zero=True, every="step"), 20)
    assert by_step[:2] == pytest.approx([0, 1 / 20])


def test_step_decay_is_torchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=5, gamma=0.3), 20)
    assert rates(StepDecay(every=5, factor=0.3), 20)[::4] == pytest.approx(expected)


@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
@pytest.mark.parametrize("pct_start", [0.3, 0.25, 0.07, 0.0, 0.97])
def test_one_cycle_is_torchs(anneal_strategy: str, pct_start: float) -> None:
    ours = OneCycle(pct_start=pct_start, div_factor=10.0, final_div_factor=100.0, anneal_strategy=anneal_strategy)  # type: ignore[arg-type]
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o,
            max_lr=1.0,
            total_steps=80,
            pct_start=pct_start,
            anneal_strategy=anneal_strategy,  # type: ignore[arg-type]
            cycle_momentum=False,
            div_factor=10.0,
            final_div_factor=100.0,
        ),
        80,
    )
    assert rates(ours, 20) == pytest.approx(expected, rel=1e-12)
    assert len(set(expected)) > 70


def test_one_cycle_has_a_rate_where_torch_divides_by_zero() -> None:
    assert [OneCycle(pct_start=0.5)._factor(StepContext(step, 2, 2)) for step in range(2)] == pytest.approx([1, 4e-6])
    assert OneCycle()._factor(StepContext(0, 1, 1)) == pytest.approx(4e-6)
    assert OneCycle(pct_start=1.0)._factor(StepContext(0, 1, 1)) == 1


def test_constant_is_one_after_torchs_linear_warm_up() -> None:
    assert rates(Constant(), 3) == [1.0] * 12
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1 / 9, end_factor=1.0, total_iters=8), 20
    )
    assert rates(Constant(warmup_epochs=2), 5) == pytest.approx(expected)
    assert rates(Constant(warmup_epochs=2), 5)[:8] == rates(Cosine(warmup_epochs=2, every="step"), 5)[:8]


def test_piecewise_linear_meets_its_knots_and_is_straight_between_them() -> None:
    run = rates(PiecewiseLinear(at=(0.0, 0.2, 1.0), factors=(1.0, 6.0, 0.0)), 10)
    assert [run[0], run[4], run[8], run[24]] == pytest.approx([1, 3.5, 6, 3])
    assert run[-1] == pytest.approx(6 / 32)
    assert all(b - a == pytest.approx(5 / 8) for a, b in pairwise(run[:9]))
    assert all(a - b == pytest.approx(6 / 32) for a, b in pairwise(run[8:]))
    epochs = rates(PiecewiseLinear(at=(1.0, 2.0, 8.0), factors=(0.5, 1.0, 0.4), measured_in="epochs"), 5)
    assert epochs[:5] == [0.5] * 5
    assert [epochs[6], epochs[8], epochs[18]] == pytest.approx([0.75, 1.0, 0.75])
    ended = rates(PiecewiseLinear(at=(0.0, 0.5), factors=(1.0, 0.25)), 4)
    assert ended[8:] == [0.25] * 8


def test_a_triangle_is_torchs_linear_schedules() -> None:
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [
                torch.optim.lr_scheduler.LinearLR(o, start_factor=0.2, end_factor=1.0, total_iters=16),
                torch.optim.lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=64),
            ],
            milestones=[16],
        ),
        80,
    )
    assert rates(PiecewiseLinear(), 20) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"at": (0.5,), "factors": (1.0,)}, "at", "two knots"),
        ({"at": (0.0, 0.5, 0.5)}, "at", "ascending"),
        ({"at": (-0.1, 0.5, 1.0)}, "at", "≥ 0"),
        ({"at": (0.0, 5.0, 24.0)}, "at", 'measured_in = "epochs"'),
        ({"at": (0.0, 1.0)}, "factors", "found 3 for 2"),
        ({"factors": (1.0, -1.0, 0.0)}, "factors", "≥ 0"),
        ({"factors": (0.0, 0.0, 0.0)}, "factors", "all are 0"),
    ],
)
def test_piecewise_linear_says_what_is_wrong_with_its_knots(
    settings: dict[str, tuple[float, ...]], key: str, words: str
) -> None:
    problems = list(PiecewiseLinear(**settings).problems(trial("piecewise_linear")))  # type: ignore[arg-type]
    assert len(problems) == 1
    assert problems[0][0] == key
    assert words in problems[0][1]


def test_knots_in_epochs_may_lie_beyond_the_run() -> None:
    recipe = trial("piecewise_linear")
    assert not list(PiecewiseLinear().problems(recipe))
    assert not list(PiecewiseLinear(at=(0.0, 5.0, 24.0), measured_in="epochs").problems(recipe))


def test_a_warm_up_must_leave_room_for_the_constant_rate() -> None:
    recipe = trial("constant")
    assert [key for key, _ in Constant(warmup_epochs=2).problems(recipe)] == ["warmup_epochs"]
    assert not list(Constant(warmup_epochs=1.5).problems(recipe))
