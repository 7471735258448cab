"""Does the schedule leave an epoch without learning?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result

if TYPE_CHECKING:
    from workbench.engine.build import Build

POINTS = 64
"""Steps of an epoch at which the schedule is asked, where it has more."""


class LearningRateZero(Check):
    """Find whole epochs in which the learning rate is 0: their steps cost time and change nothing."""

    name = "learning_rate_zero"
    title = "learning rate"
    when = "before"
    rank = 60
    needs_data = False

    def examine(self, build: Build) -> Result:
        """Epochs that the run does not finish are not looked at, unless it is shorter than one."""
        length = min(build.steps_per_epoch, build.steps)
        steps = sorted({round(i * (length - 1) / (POINTS - 1)) for i in range(POINTS)})
        epochs = max(1, build.steps // build.steps_per_epoch)
        rates = [[abs(build.learning_rate(epoch * length + step)) for step in steps] for epoch in range(epochs)]
        still = [number for number, found in enumerate(rates, start=1) if max(found) == 0]
        lowest, highest = f"{min(map(min, rates)):.3g}", f"{max(map(max, rates)):.3g}"
        found = f"{lowest} throughout" if lowest == highest else f"{lowest} to {highest}"
        expected = "above 0 in every epoch"
        if not still:
            return Result("pass", expected, found, "every epoch has steps that change the weights")
        which = f"epoch {still[0]}" if len(still) == 1 else f"{len(still)} epochs, the first of them epoch {still[0]}"
        reason = f"the learning rate is 0 throughout {which}: nothing is learned there"
        advice = "let the schedule begin or end above 0, change it every step, or shorten the run"
        return Result("fail", expected, f"0 throughout {which}", reason, advice)
