"""Skip connections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from workbench.hooks import Builder


class Residual(Technique):
    """Add each block's input to its output, so that the block learns only the difference.

    Gradients reach early layers unhindered, which makes deep networks trainable. Where shapes change, a 1×1 convolution
    projects the input.
    """

    name = "residual"
    group = "architecture"
    starter = True
    source = "He et al. 2016, arXiv:1512.03385"
    tradeoff = "Costs little; the projections add a few parameters."
    needs: ClassVar[tuple[Need, ...]] = (
        Need(capability="residual", why="skip connections go around blocks that the model must have"),
    )

    def register(self, build: Builder) -> None:
        """Have the model connect inputs to outputs."""
        build.hooks.model_options.add(lambda options: replace(options, residual=True))
