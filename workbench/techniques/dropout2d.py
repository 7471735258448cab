"""Dropout of whole channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.recipe.specs import parameter
from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class Dropout2d(Technique):
    """Set random channels to 0 at the end of every block of convolutions in training.

    Neighbouring pixels of a feature map are so alike that dropping single ones hides little; a whole channel does.
    """

    name = "dropout2d"
    group = "architecture"
    source = "Tompson et al. 2015, arXiv:1411.4280 (SpatialDropout)"
    tradeoff = "A strong regulariser for long runs and large networks; it costs accuracy where the network underfits."
    needs: ClassVar[tuple[Need, ...]] = (Need(capability="blocks", why="it stands at the end of the model's blocks"),)

    rate: float = parameter(0.25, ge=0, lt=1, description="share of the channels that are set to 0")

    def register(self, build: Builder) -> None:
        """Append the layers."""
        build.hooks.model_edits.add(self._append, rank=40)

    def _append(self, model: nn.Module) -> nn.Module:
        from torch import nn

        from workbench.models.layers import Block

        for block in [module for module in model.modules() if isinstance(module, Block)]:
            block.append(nn.Dropout2d(self.rate))
        return model
