"""Learning-rate schedules against torch's, and never a rate of 0 for a whole epoch of warm-up."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from workbench.step import Moment
from workbench.techniques.cosine import Cosine
from workbench.techniques.step_decay import StepDecay


def rates(technique: Cosine | StepDecay, epochs: int, per_epoch: int = 4) -> list[float]:
    return [technique._factor(Moment(step, epochs * per_epoch, per_epoch)) for step in range(epochs * per_epoch)]


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


def test_step_decay_is_torchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=5, gamma=0.3), 20)
    assert rates(StepDecay(every=5, factor=0.3), 20)[::4] == pytest.approx(expected)
