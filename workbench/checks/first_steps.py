"""Does the loss explode in the first steps?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class FirstSteps(Check):
    """Train a copy for the first steps of the run, with its own batches and learning rates, and watch the loss."""

    name = "first_steps"
    title = "first steps"
    when = "before"
    rank = 90

    enabled: bool = parameter(False, description="true makes it before every run; it takes as long as these steps")
    steps: int = parameter(100, ge=2, le=100_000, unit="steps", description="steps to train")
    factor: float = parameter(3.0, gt=1, le=1000, description="times the first loss that counts as exploded")

    def examine(self, build: Build) -> Result:
        """On a copy, in fp32; the mean of five losses counts, a single one may be a hard batch."""
        from workbench.engine.dry_run import DryRun

        rehearsal = DryRun(build)
        schedule = build.schedule
        losses: list[float] = []
        for step in range(min(self.steps, build.steps)):
            losses.append(rehearsal.step(step, float(schedule(build.context(step)))))
            recent = sum(losses[-5:]) / len(losses[-5:])
            if not recent <= self.factor * max(losses[0], 1.0):
                break
        expected = f"loss below {self.factor:g} × the first for {min(self.steps, build.steps)} steps"
        found = f"{losses[0]:.3f} → {recent:.3g} in {len(losses)} steps"
        if len(losses) < 2 and math.isfinite(recent):
            return not_judged(
                "the run has one step: there is no later loss to hold against its first", "", expected, found
            )
        if math.isfinite(recent) and recent <= self.factor * max(losses[0], 1.0):
            return Result("pass", expected, found, "the run starts stable")
        reason = f"the loss explodes within {len(losses)} steps at a learning rate of {build.learning_rate(step):.3g}"
        advice = (
            "lower the learning rate (workbench check RECIPE --range-test suggests one), warm up, or clip gradients"
        )
        return Result("fail", expected, found, reason, advice)
