"""Label smoothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from workbench.hooks import Builder


class LabelSmoothing(Technique):
    """Give each class an equal share of a part of the target, so that the network is less sure of itself.

    The lowest loss that training can reach is then above 0: 0.50 with 0.1 over ten classes.
    """

    name = "label_smoothing"
    group = "loss"
    source = "Szegedy et al. 2016, arXiv:1512.00567"
    tradeoff = "Usually better accuracy and calibration; the training loss no longer compares with a plain one."

    smoothing: float = parameter(0.1, ge=0, lt=1, description="share of the target that is spread over all classes")

    def register(self, build: Builder) -> None:
        """Replace the criterion."""
        from torch.nn.functional import cross_entropy

        build.hooks.criterion.add(partial(cross_entropy, label_smoothing=self.smoothing))
