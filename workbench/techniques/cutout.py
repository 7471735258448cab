"""Cutout: a square hole in every image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.registered import DoesNotFit
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng


class Cutout(Technique):
    """Cover a square at a random place of each image, so that no single part of an object decides.

    The square has the data set's mean colour (0 after normalisation). On CIFAR-10 the paper covers 16 pixels in long
    runs; a half of that is usual where the run is short.
    """

    name = "cutout"
    group = "augmentation"
    source = "DeVries and Taylor 2017, arXiv:1708.04552"
    tradeoff = "Better accuracy in runs of some 30 epochs and more; in short ones it only slows the learning."

    size: int = parameter(8, ge=1, le=512, unit="pixels", description="side of the square")
    placement: Literal["clipped", "inside"] = parameter(
        "clipped", description="clipped: the centre is anywhere, what sticks out is cut off; inside: always whole"
    )

    def register(self, build: Builder) -> None:
        """Cover a part of the normalised images."""
        _, height, width = build.image_shape
        if self.size >= min(height, width):
            raise DoesNotFit(
                f"techniques.cutout.size: the square must be smaller than the image ({height}×{width}); "
                f"found {self.size}"
            )
        build.hooks.tensor_augmentation.add(self._cutout, rank=50)

    def _cutout(self, images: Tensor, rng: SampleRng) -> Tensor:
        return cutout(images, self.size, rng, placement=self.placement)


def cutout(images: Tensor, size: int, rng: SampleRng, *, placement: str = "clipped") -> Tensor:
    """Set a square of ``size`` pixels to 0 in each of the floating-point images ``[N, C, H, W]``, in all channels.

    placement: ``"clipped"``: the centre (the pixel ``size // 2`` from the square's top and left edge) is any pixel of
    the image, all equally likely, and what reaches over the border is cut off, so that a quarter of the square is
    covered at least. ``"inside"``: every place where the whole square fits is equally likely; size ≤ H, W.
    """
    from workbench.image_operations.rectangles import random_places, rectangles

    h, w = images.shape[2:]
    if placement == "inside":
        top, left = random_places(rng, h - size + 1, w - size + 1)
    else:
        row, column = random_places(rng, h, w)
        top, left = row - size // 2, column - size // 2
    return images * (1 - rectangles(top, left, top + size, left + size, h, w, images.dtype))
