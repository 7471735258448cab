"""Random erasing: a rectangle of any size and shape is taken out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng
    from workbench.recipe.schema import Recipe

_ATTEMPTS = 10


class RandomErasing(Technique):
    """Erase a rectangle of random size, shape and place from some of the images, as if something stood before it.

    Works on normalised images: zero is the data set's mean colour, random is noise of mean 0 and deviation 1 in each
    pixel. Cutout is the same with one size and shape.
    """

    name = "random_erasing"
    group = "augmentation"
    source = "Zhong et al. 2020, arXiv:1708.04896; torchvision RandomErasing"
    tradeoff = "Robust to objects that are partly hidden; hides the whole object now and then. Noise costs time."

    probability: float = parameter(0.5, ge=0, le=1, description="share of the images that lose a rectangle")
    scale: tuple[float, float] = parameter(
        (0.02, 0.33), description="smallest and largest area of the rectangle, as shares of the image"
    )
    ratio: tuple[float, float] = parameter(
        (0.3, 3.3), description="smallest and largest height of the rectangle divided by its width"
    )
    value: Literal["zero", "random"] = parameter("zero", description="what the pixels become: 0, or normal noise")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Ranges go upwards, areas are shares, ratios are positive."""
        if not 0 <= self.scale[0] <= self.scale[1] <= 1:
            yield "scale", f"expected two numbers with 0 ≤ smallest ≤ largest ≤ 1, found {list(self.scale)}"
        if not 0 < self.ratio[0] <= self.ratio[1]:
            yield "ratio", f"expected two numbers with 0 < smallest ≤ largest, found {list(self.ratio)}"

    def register(self, build: Builder) -> None:
        """Erase from the normalised images."""
        build.hooks.tensor_augmentation.add(self._erase, rank=60)

    def _erase(self, images: Tensor, rng: SampleRng) -> Tensor:
        return random_erasing(
            images, rng, probability=self.probability, scale=self.scale, ratio=self.ratio, value=self.value
        )


def random_erasing(
    images: Tensor,
    rng: SampleRng,
    *,
    probability: float = 0.5,
    scale: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
    value: str = "zero",
) -> Tensor:
    """Erase one rectangle from each of the floating-point images ``[N, C, H, W]`` with a probability, 0–1.

    A rectangle has an area uniform over ``scale`` (shares of the image's), a height-to-width ratio whose logarithm is
    uniform over that of ``ratio``, sides rounded to pixels, and any place where it fits. The first of ten that is
    smaller than the image in both directions is taken; if none is, nothing is erased. The distribution is that of
    torchvision's RandomErasing. value: ``"zero"``, or ``"random"``: each pixel of each channel becomes its own draw
    from the normal distribution of mean 0 and deviation 1.
    """
    import torch

    from workbench.image_operations.rectangles import random_places, rectangles

    h, w = images.shape[2:]
    uniform = rng.uniform(1 + 2 * _ATTEMPTS)
    area = h * w * (scale[0] + (scale[1] - scale[0]) * uniform[:, 1 : 1 + _ATTEMPTS])
    low, high = math.log(ratio[0]), math.log(ratio[1])
    aspect = (low + (high - low) * uniform[:, 1 + _ATTEMPTS :]).exp()
    heights, widths = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (heights < h) & (widths < w)
    first = fits.int().argmax(dim=1, keepdim=True)
    erased = fits.gather(1, first) & (uniform[:, :1] < probability)
    height = (heights.gather(1, first) * erased)[:, 0].long()
    width = (widths.gather(1, first) * erased)[:, 0].long()
    top, left = random_places(rng, h - height + 1, w - width + 1)
    hole = rectangles(top, left, top + height, left + width, h, w, images.dtype)
    if value == "random":
        return torch.lerp(images, _noise(images, rng), hole)
    return images * (1 - hole)


def _noise(images: Tensor, rng: SampleRng) -> Tensor:
    """Normal numbers in the shape and type of the images, by Box and Muller's method.

    The two 16-bit halves of one draw make two numbers, none beyond ±4.9: half the draws of a number each.
    """
    import torch

    size = images[0].numel()
    bits = rng.bits((size + 1) // 2)
    radius = (-2 * torch.log(((bits >> 16) + 0.5) / 65536)).sqrt()
    angle = (bits & 0xFFFF) * (2 * math.pi / 65536)
    normal = torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)[:, :size]
    return normal.reshape(images.shape).to(images.dtype)
