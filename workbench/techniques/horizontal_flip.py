"""Random mirror images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.recipe.cards import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.slots import Builder
    from workbench.randomness import Draws


class HorizontalFlip(Technique):
    """Mirror each image left to right with a probability; right for things that have no handedness."""

    name = "horizontal_flip"
    group = "augmentation"
    source = "Krizhevsky et al. 2012; torchvision RandomHorizontalFlip"
    tradeoff = "Free accuracy on photographs; wrong for digits and letters."

    probability: float = parameter(0.5, ge=0, le=1, description="share of the images that are mirrored")

    def contribute(self, build: Builder) -> None:
        """Flip the raw images."""
        build.add("image augmentation", self._flip, rank=20)

    def _flip(self, images: Tensor, draws: Draws) -> Tensor:
        return horizontal_flip(images, self.probability, draws)


def horizontal_flip(images: Tensor, probability: float, draws: Draws) -> Tensor:
    """Mirror each image ``[N, C, H, W]`` along W, independently with the given probability, 0–1."""
    import torch

    mirrored = (draws.uniform() < probability).view(-1, 1, 1, 1)
    return torch.where(mirrored, images.flip(-1), images)
