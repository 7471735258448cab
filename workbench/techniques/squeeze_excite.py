"""Squeeze-and-excitation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.recipe.specs import parameter
from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class SqueezeExcite(Technique):
    """Weigh the channels of each block by what the whole image shows: average, two small layers, a factor 0–1 each.

    It stands at the end of every pair's branch, before the skip connection is added, and at the end of blocks that
    have no pairs.
    """

    name = "squeeze_excite"
    synonyms = ("se",)
    group = "architecture"
    source = "Hu et al. 2018, arXiv:1709.01507"
    tradeoff = (
        "Some tenths of a point for a few parameters; many small operations, so a GPU slows down more than it counts."
    )
    needs: ClassVar[tuple[Need, ...]] = (Need(capability="blocks", why="it weighs the output of the model's blocks"),)

    ratio: int = parameter(16, ge=1, le=1024, description="channels for each unit of the squeezed layer")
    minimum: int = parameter(4, ge=1, le=1024, unit="units", description="least width of the squeezed layer")

    def register(self, build: Builder) -> None:
        """Append the layers."""
        build.hooks.model_edits.add(self._append, rank=30)

    def _append(self, model: nn.Module) -> nn.Module:
        from workbench.models.layers import Block, Pair
        from workbench.models.layers import SqueezeExcite as Layer
        from workbench.models.layers.surgery import channels_out

        pairs = [module for module in model.modules() if isinstance(module, Pair)]
        plain = [
            module
            for module in model.modules()
            if isinstance(module, Block) and not any(isinstance(inner, Pair) for inner in module.modules())
        ]
        for part in [*(pair.branch for pair in pairs), *plain]:
            width = channels_out(part)
            part.add_module("squeeze_excite", Layer(width, max(self.minimum, width // self.ratio)))
        return model
