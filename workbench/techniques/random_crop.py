"""Random crops from padded images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.cards import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.slots import Builder
    from workbench.randomness import Draws


class RandomCrop(Technique):
    """Pad each image and cut a window of the old size out of it at a random place: objects are seen off-centre."""

    name = "random_crop"
    group = "augmentation"
    source = "Krizhevsky et al. 2012; He et al. 2016, arXiv:1512.03385 (4 pixels of zeros on CIFAR-10)"
    tradeoff = "About two to three points of accuracy on CIFAR-10 in longer runs; slower learning in very short ones."

    padding: int = parameter(4, ge=1, le=512, unit="pixels", description="width of the border on every side")
    border: Literal["zero", "reflect"] = parameter(
        "zero", description="what the border shows: black, or the image mirrored"
    )

    def contribute(self, build: Builder) -> None:
        """Crop the raw images."""
        _, height, width = build.image_shape
        if self.border == "reflect" and self.padding >= min(height, width):
            raise ValueError(
                f"techniques.random_crop.padding: a reflected border must be narrower than the image "
                f"({height}×{width}); found {self.padding}"
            )
        build.add("image augmentation", self._crop, rank=10)

    def _crop(self, images: Tensor, draws: Draws) -> Tensor:
        return random_crop(images, self.padding, draws, border=self.border)


def random_crop(images: Tensor, padding: int, draws: Draws, *, border: str = "zero") -> Tensor:
    """Shift each image ``[N, C, H, W]`` by its own whole offset, −padding … padding in both directions, uniformly.

    border: ``"zero"``, or ``"reflect"`` (mirrored without repeating the edge; padding < H, W). Same as padding and
    cropping back to H×W.
    """
    import torch

    n, c, h, w = images.shape
    offsets = draws.integers(2 * padding + 1, 2) - padding
    rows = offsets[:, :1] + torch.arange(h, device=images.device)
    columns = offsets[:, 1:] + torch.arange(w, device=images.device)
    if border == "reflect":
        rows, columns = _reflect(rows, h), _reflect(columns, w)
        inside = None
    else:
        inside = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None, :]
        rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    flat = (rows[:, :, None] * w + columns[:, None, :]).view(n, 1, h * w)
    cropped = images.reshape(n, c, h * w).gather(2, flat.expand(n, c, h * w)).view(n, c, h, w)
    return cropped if inside is None else cropped * inside[:, None].to(images.dtype)


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions outside 0 … size − 1, mirrored at the edges."""
    positions = positions.abs()
    return (size - 1) - ((size - 1) - positions).abs()
