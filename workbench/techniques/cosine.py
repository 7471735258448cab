"""Cosine annealing with warm-up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.step import StepContext
from workbench.techniques.base import Technique
from workbench.techniques.warmup import warmup_factor, warmup_problems

if TYPE_CHECKING:
    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe


class Cosine(Technique):
    """Raise the learning rate linearly, then let it fall along half a cosine to a minimum.

    The high plateau explores, the slow end settles. Warm-up starts above 0, so that its first step (or epoch) already
    moves; many scripts start at 0 and lose a whole epoch where the rate changes once an epoch.
    """

    name = "cosine"
    synonyms = ("cosine_annealing",)
    group = "schedule"
    starter = True
    source = "Loshchilov and Hutter 2017, arXiv:1608.03983; warm-up: Goyal et al. 2017, arXiv:1706.02677"
    tradeoff = "The length of the run must be known beforehand."

    warmup_epochs: float = parameter(0.0, ge=0, le=100_000, unit="epochs", description="linear rise from 0 to the peak")
    warmup_from_zero: bool = parameter(False, description="true: the first epoch (or step) of the warm-up has rate 0")
    minimum: float = parameter(0.0, ge=0, le=1, description="the end's share of the peak learning rate")
    every: Literal["epoch", "step"] = parameter("epoch", description="how often the rate changes")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Warm-up must leave room for the cosine."""
        return warmup_problems(self.warmup_epochs, recipe)

    def register(self, build: Builder) -> None:
        """Scale the learning rate."""
        build.hooks.schedule.add(self._factor)

    def _factor(self, context: StepContext) -> float:
        if self.every == "epoch":
            done, total, unit = float(context.epoch), float(math.ceil(context.epochs)), 1.0
        else:
            done, total, unit = context.epochs_done, context.epochs, 1 / context.steps_per_epoch
        return cosine(done, total, self.warmup_epochs, self.minimum, unit=0.0 if self.warmup_from_zero else unit)


def cosine(done: float, total: float, warmup: float, minimum: float, *, unit: float) -> float:
    """The factor on the peak rate, 0–1, after ``done`` of ``total`` epochs.

    During warm-up it is :func:`~workbench.techniques.warmup.warmup_factor`. Then ``minimum + (1 − minimum) ·
    (1 + cos π p) / 2`` with p from 0 to 1.
    """
    if done < warmup:
        return warmup_factor(done, warmup, unit)
    p = min(1.0, (done - warmup) / max(total - warmup, 1e-12))
    return minimum + (1 - minimum) * 0.5 * (1 + math.cos(math.pi * p))
