"""Does the loss jump?"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from workbench.checks.base import Check, CheckObserver, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build
    from workbench.events import Trained


class LossSpikes(Check):
    """Points of the training loss far above the median of those before: a step that undid what many had learned."""

    name = "loss_spikes"
    title = "loss spikes"
    when = "during"
    rank = 50
    source = "Godbole et al. 2023, Deep Learning Tuning Playbook: unstable workloads"

    window: int = parameter(20, ge=3, le=10_000, unit="points", description="points of the curve that the median is of")
    factor: float = parameter(2.0, gt=1, le=1000, description="times the median that is a spike")
    least: float = parameter(0.2, gt=0, le=1, description="share of the first loss that a spike rises above the median")

    def watch(self, build: Build) -> CheckObserver:
        """From the points of the loss curve."""
        return _SpikeObserver(self)


class _SpikeObserver(CheckObserver):
    remembers = ("losses", "first", "spikes", "highest", "judged")

    def __init__(self, spec: LossSpikes) -> None:
        self.spec = spec
        self.losses: deque[float] = deque(maxlen=spec.window)
        self.first = math.nan
        self.spikes: list[int] = []
        self.highest = 0.0
        self.judged = 0

    def lacks(self) -> str:
        return f"it had {len(self.losses)} of the {self._least + 1} points of the loss curve that it needs"

    @property
    def _least(self) -> int:
        return max(3, self.spec.window // 2)

    def judge(self, trained: Trained) -> Result | None:
        loss = trained.loss
        if not math.isfinite(loss):
            return None
        if math.isnan(self.first):
            self.first = loss
        usual = median(self.losses) if len(self.losses) >= self._least else math.inf
        self.losses.append(loss)
        self.judged += usual < math.inf
        if loss > self.spec.factor * usual and loss > usual + self.spec.least * self.first:
            self.spikes.append(trained.step)
            self.highest = max(self.highest, loss)
        expected = f"below {self.spec.factor:g} × the median of {self.spec.window} points"
        if not self.spikes:
            found = "none so far"
            return Result("pass", expected, found, "no step throws the loss far up") if self.judged else None
        found = f"{self.highest:.3g} at step {self.spikes[0]:,}, usually {usual:.3g}"
        reason = "the loss jumped far above where it was"
        advice = "clip gradients (gradient_clipping), lower the learning rate, or look at that step's batch"
        return Result("warn", expected, found, reason, advice)
