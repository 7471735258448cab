"""CutMix: a part of one image in another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.image_operations.mixing import SymmetricBeta
    from workbench.randomness import SampleRng


class CutMix(Technique):
    """Replace a rectangle of an image by the same rectangle of another one; labels count by their pixels.

    Like cutout, but no pixel is wasted; like mixup, but every pixel looks natural. Each image has its own rectangle.
    Train accuracy has no meaning while labels are blended. With mixup on as well, an image can go through both, this
    one first.
    """

    name = "cutmix"
    group = "augmentation"
    source = "Yun et al. 2019, arXiv:1905.04899"
    tradeoff = "About a point of accuracy on CIFAR in long runs; hurts where the run is short."

    alpha: float = parameter(
        1.0,
        ge=0.001,
        le=100,
        description="of Beta(α, α), where the area that stays is drawn: 1 any alike, less all or nothing, more a half",
    )
    probability: float = parameter(0.5, ge=0, le=1, description="share of the images that are mixed")

    def register(self, build: Builder) -> None:
        """Mix the batches that the network sees."""
        from workbench.image_operations.mixing import SymmetricBeta

        beta = SymmetricBeta(self.alpha, build.device)
        mix = partial(cutmix, classes=build.classes, beta=beta, probability=self.probability)
        build.hooks.target_mixing.add(mix, rank=10)


def cutmix(
    images: Tensor, targets: Tensor, rng: SampleRng, *, classes: int, beta: SymmetricBeta, probability: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Give each image ``[N, C, H, W]`` a rectangle of its partner, in the same place.

    The rectangle has the image's shape and the share 1 − λ of its area, its half sides rounded down to pixels; its
    centre is any pixel, and what reaches over the border is cut off. Each image has its own rectangle, λ from ``beta``
    with the given probability, 0–1, else none. Partners are a permutation of the batch. The images keep their type and
    memory format.

    targets: int64 ``[N]`` or, mixed before, floating point ``[N, classes]``; they come back as float32
    ``[N, classes]``, weighted by the shares of the pixels that the image and its partner have in the end.
    """
    import torch

    from workbench.image_operations.mixing import mixed_targets, shares_and_partners
    from workbench.image_operations.rectangles import random_places, rectangles

    h, w = images.shape[2:]
    shares, partners = shares_and_partners(rng, beta, probability)
    half = 0.5 * (1 - shares).sqrt()
    row, column = random_places(rng, h, w)
    top, bottom = _clipped(row, (h * half).long(), h)
    left, right = _clipped(column, (w * half).long(), w)
    box = rectangles(top, left, bottom, right, h, w, images.dtype)
    # with weights of 0 and 1 lerp gives its ends exactly, and unlike where it keeps the images' memory format
    mixed = torch.lerp(images, images.index_select(0, partners), box)
    area = (bottom - top) * (right - left)
    return mixed, mixed_targets(targets, partners, (h * w - area) / (h * w), area / (h * w), classes)


def _clipped(centre: Tensor, half: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Start and stop of centre ± half within 0 … size."""
    return (centre - half).clamp(min=0), (centre + half).clamp(max=size)
