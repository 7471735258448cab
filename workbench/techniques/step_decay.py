"""Learning rate in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.step import StepContext
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from workbench.hooks import Builder


class StepDecay(Technique):
    """Multiply the learning rate by a factor every few epochs."""

    name = "step_decay"
    synonyms = ("multistep",)
    group = "schedule"
    source = "He et al. 2016, arXiv:1512.03385; torch.optim.lr_scheduler.StepLR"
    tradeoff = "Simple and open-ended; where to put the steps takes trials."

    every: int = parameter(5, ge=1, le=100_000, unit="epochs", description="epochs between two steps")
    factor: float = parameter(0.5, gt=0, le=1, description="what the rate is multiplied by at each step")

    def register(self, build: Builder) -> None:
        """Scale the learning rate."""
        build.hooks.schedule.add(self._factor)

    def _factor(self, context: StepContext) -> float:
        return float(self.factor ** (context.epoch // self.every))
