"""A constant learning rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique
from workbench.techniques.warmup import warmup_factor, warmup_problems

if TYPE_CHECKING:
    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext


class Constant(Technique):
    """Keep the learning rate constant, after a linear warm-up if wanted.

    The same as no schedule, said aloud: it fits averaging (swa, ema), which settles in the schedule's place, and runs
    of open length. The warm-up changes the rate with every step and never stands at 0.
    """

    name = "constant"
    group = "schedule"
    source = "Robbins and Monro 1951; warm-up: Goyal et al. 2017, arXiv:1706.02677"
    tradeoff = "The end stays noisy: without averaging, a rate that falls ends better."

    warmup_epochs: float = parameter(0.0, ge=0, le=100_000, unit="epochs", description="linear rise from 0 to the peak")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Warm-up must leave room for the constant rate."""
        return warmup_problems(self.warmup_epochs, recipe)

    def register(self, build: Builder) -> None:
        """Scale the learning rate."""
        build.hooks.schedule.add(self._factor)

    def _factor(self, context: StepContext) -> float:
        return constant(context.step, self.warmup_epochs * context.steps_per_epoch)


def constant(step: int, warmup: float) -> float:
    """The factor on the rate, 0–1, at a step (from 0): ``(step + 1) / (warmup + 1)`` until ``warmup`` steps, then 1."""
    return warmup_factor(step, warmup, 1.0) if step < warmup else 1.0
