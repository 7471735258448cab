"""Which learning rates suit the network?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build

Point = tuple[float, float]
"""A learning rate and the loss that was seen with it, smoothed."""

FALLS = 0.98
"""Times the first loss below which it has fallen."""


class LearningRateRange(Check):
    """Train a copy while the learning rate grows from tiny to huge, and see where the loss falls and where it explodes.

    The test ends where the loss is far above its best. The suggestion is a third of the rate at which it was best: a
    run stays at its rate much longer than a test of some hundred steps.
    """

    name = "learning_rate_range"
    title = "learning rate range"
    when = "before"
    rank = 95
    source = "Smith 2015, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186"

    enabled: bool = parameter(False, description="true makes it before every run; it takes as long as these steps")
    lowest: float = parameter(1e-4, gt=0, le=1, description="first rate, times the recipe's own")
    highest: float = parameter(1e3, ge=1, le=1e6, description="last rate, times the recipe's own")
    steps: int = parameter(100, ge=10, le=10_000, unit="steps", description="steps to train")
    stop: float = parameter(4.0, gt=1, le=1000, description="times the best loss at which it has exploded")

    def examine(self, build: Build) -> Result:
        """On a copy, in fp32. Figures: points (rate, smoothed loss), suggestion, exploded, peak; rates or None.

        Where the loss falls at no rate, there is nothing to suggest and nothing to judge.
        """
        points = self.measure(build)
        peak = max(build.learning_rate(step) for step in _steps(build.steps))
        suggested, exploded = suggestion(points), explosion(points, self.stop)
        figures = {"points": points, "suggestion": suggested, "exploded": exploded, "peak": peak}
        limit = "no rate of the test" if exploded is None else f"{exploded:.2g}"
        found = f"highest rate {peak:.3g}, best about {suggested:.2g}, explodes at {limit}"
        expected = "a highest rate below the one that explodes"
        advice = f"try a learning rate of {suggested:.2g}"
        if exploded is not None and peak >= exploded:
            reason = f"at {exploded:.2g} the loss explodes, and the recipe goes up to {peak:.3g}"
            return Result("fail", expected, found, reason, advice, figures)
        best = min(loss for _, loss in points)
        if not best < FALLS * points[0][1]:
            found = f"lowest loss {best:.4g}, first {points[0][1]:.4g}"
            advice = "see whether it learns at all: workbench check RECIPE --only overfit_batch"
            return not_judged(
                "the loss falls at no rate of the test",
                advice,
                "a loss that falls",
                found,
                **{**figures, "suggestion": None},
            )
        if peak < suggested / 100:
            reason = f"the loss falls fastest near {suggested:.2g}; with {peak:.3g} at most the run learns slowly"
            return Result("warn", expected, found, reason, advice, figures)
        return Result("pass", expected, found, "the recipe's rates are in the range that learns", "", figures)

    def measure(self, build: Build) -> list[Point]:
        """The test's points: rate and exponentially smoothed loss (weight 0.8, freed of its start at 0)."""
        from workbench.engine.dry_run import DryRun

        rehearsal, points, average = DryRun(build), list[Point](), 0.0
        growth = (self.highest / self.lowest) ** (1 / (self.steps - 1))
        for step in range(self.steps):
            factor = self.lowest * growth**step
            loss = rehearsal.step(step, factor)
            average = 0.8 * average + 0.2 * loss
            smooth = average / (1 - 0.8 ** (step + 1))
            points.append((rehearsal.rate * factor, smooth if math.isfinite(loss) else math.inf))
            if not smooth <= self.stop * min(value for _, value in points):
                break
        return points


def suggestion(points: Sequence[Point]) -> float:
    """A third of the rate with the lowest loss."""
    return min(points, key=lambda point: point[1])[0] / 3


def explosion(points: Sequence[Point], stop: float) -> float | None:
    """The rate at which the loss was beyond ``stop`` times its best; None if it never was."""
    best = math.inf
    for rate, loss in points:
        best = min(best, loss)
        if not loss <= stop * best:
            return rate
    return None


def _steps(steps: int) -> list[int]:
    return sorted({round(i * (steps - 1) / 999) for i in range(1000)})
