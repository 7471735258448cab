"""Random mirror images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng
    from workbench.recipe.schema import Recipe


class HorizontalFlip(Technique):
    """Mirror each image left to right with a probability; right for things that have no handedness.

    Alternating mode mirrors a random half in the first epoch, and from then on each image in every other epoch: any two
    epochs in a row show both forms of every image, where random mode shows a half of them twice in the same form.
    """

    name = "horizontal_flip"
    synonyms = ("flip", "hflip")
    group = "augmentation"
    source = "Krizhevsky et al. 2012; torchvision RandomHorizontalFlip; alternating: Jordan 2024, arXiv:2404.00498"
    tradeoff = "Free accuracy on photographs; wrong for digits and letters."

    probability: float = parameter(0.5, ge=0, le=1, description="random mode: share of the images that are mirrored")
    mode: Literal["random", "alternating"] = parameter(
        "random", description="random: drawn anew in every epoch; alternating: mirrored in every other epoch"
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Alternating leaves nothing to a probability."""
        if self.mode == "alternating" and self.probability != 0.5:
            yield "probability", 'does not apply to mode = "alternating", which mirrors a half; leave it at 0.5'

    def register(self, build: Builder) -> None:
        """Flip the raw images."""
        build.hooks.image_augmentation.add(self._flip, rank=20)

    def _flip(self, images: Tensor, rng: SampleRng) -> Tensor:
        if self.mode == "alternating":
            return alternating_flip(images, rng)
        return horizontal_flip(images, self.probability, rng)


def horizontal_flip(images: Tensor, probability: float, rng: SampleRng) -> Tensor:
    """Mirror each image ``[N, C, H, W]`` along W, independently with the given probability, 0–1."""
    return _mirror(images, rng.uniform()[:, 0] < probability)


def alternating_flip(images: Tensor, rng: SampleRng) -> Tensor:
    """Mirror each image ``[N, C, H, W]`` along W in every other epoch; which half begins is drawn once for the run."""
    return _mirror(images, rng.of_the_run().integers(2)[:, 0] == 1 - rng.epoch % 2)


def _mirror(images: Tensor, mirrored: Tensor) -> Tensor:
    """The images, mirrored where ``mirrored``, bool ``[N]``, says so."""
    import torch

    # choosing whole images is a copy of bytes in one piece: four times as fast as choosing pixels
    both = torch.cat((images, images.flip(-1)))
    return both.index_select(0, torch.arange(len(images), device=images.device) + len(images) * mirrored)
