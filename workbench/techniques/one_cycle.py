"""The one-cycle schedule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from workbench.hooks import Builder
    from workbench.step import StepContext


class OneCycle(Technique):
    """Raise the learning rate from a low start to a high peak, then let it fall far below the start, once in the run.

    The high middle works as regularisation and lets short runs reach what long ones do. The rates are those of
    torch.optim.lr_scheduler.OneCycleLR and change with every step; unlike there, the momentum is not cycled.
    """

    name = "one_cycle"
    synonyms = ("onecycle",)
    group = "schedule"
    source = "Smith and Topin 2018, arXiv:1708.07120; torch.optim.lr_scheduler.OneCycleLR"
    tradeoff = "Made for short runs with a high peak; the length of the run must be known beforehand."

    pct_start: float = parameter(0.3, ge=0, le=1, description="share of the run before the peak")
    div_factor: float = parameter(25.0, ge=1, le=1e9, description="peak divided by the first rate")
    final_div_factor: float = parameter(1e4, ge=1, le=1e9, description="first rate divided by the last one")
    anneal_strategy: Literal["cos", "linear"] = parameter("cos", description="rise and fall: half cosines, or lines")

    def register(self, build: Builder) -> None:
        """Scale the learning rate."""
        build.hooks.schedule.add(self._factor)

    def _factor(self, context: StepContext) -> float:
        return one_cycle(
            context.step, context.steps, self.pct_start, self.div_factor, self.final_div_factor, self.anneal_strategy
        )


def one_cycle(
    step: int, steps: int, pct_start: float, div_factor: float, final_div_factor: float, anneal_strategy: str
) -> float:
    """The factor on the peak rate, 0–1, at a step of 0 … steps − 1.

    From 1 / div_factor to 1 at step ``pct_start · steps − 1``, then to 1 / (div_factor · final_div_factor) at the last.
    """
    first, peak, last = 1 / div_factor, pct_start * steps - 1, steps - 1
    if step <= peak:
        begin, end, share = first, 1.0, step / peak if peak > 0 else 1.0
    else:
        begin, end, share = 1.0, first / final_div_factor, (step - peak) / (last - peak)
    if anneal_strategy == "cos":
        share = (1 - math.cos(math.pi * share)) / 2
    return begin + (end - begin) * share
