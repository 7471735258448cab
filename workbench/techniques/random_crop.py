"""Random crops from padded images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.registered import DoesNotFit
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng
    from workbench.recipe.schema import Recipe


class RandomCrop(Technique):
    """Pad each image and cut a window of the old size out of it at a random place: objects are seen off-centre."""

    name = "random_crop"
    synonyms = ("crop",)
    group = "augmentation"
    source = "Krizhevsky et al. 2012; He et al. 2016, arXiv:1512.03385 (4 pixels of zeros on CIFAR-10)"
    tradeoff = "About two to three points of accuracy on CIFAR-10 in longer runs; slower learning in very short ones."

    padding: int = parameter(4, ge=1, le=512, unit="pixels", description="width of the border on every side")
    border: Literal["zero", "reflect"] = parameter(
        "zero", description="what the border shows: black, or the image mirrored"
    )
    max_offset: int | None = parameter(
        None,
        ge=1,
        le=1024,
        unit="pixels",
        description="largest distance of the window from the padded image's top and left edge; left out: 2 × padding",
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """The window must stay within the padded image."""
        if self.max_offset is not None and self.max_offset > 2 * self.padding:
            yield (
                "max_offset",
                f"{self.max_offset} lets the window leave the padded image; at most 2 × padding = {2 * self.padding}",
            )

    def register(self, build: Builder) -> None:
        """Crop the raw images."""
        _, height, width = build.image_shape
        if self.border == "reflect" and self.padding >= min(height, width):
            raise DoesNotFit(
                f"techniques.random_crop.padding: a reflected border must be narrower than the image "
                f"({height}×{width}); found {self.padding}"
            )
        build.hooks.image_augmentation.add(self._crop, rank=10)

    def _crop(self, images: Tensor, rng: SampleRng) -> Tensor:
        return random_crop(images, self.padding, rng, border=self.border, max_offset=self.max_offset)


def random_crop(
    images: Tensor, padding: int, rng: SampleRng, *, border: str = "zero", max_offset: int | None = None
) -> Tensor:
    """Pad each image ``[N, C, H, W]`` on every side and cut an H×W window out of it at its own place.

    The window's top and left edges are 0 … max_offset pixels from those of the padded image, uniformly and
    independently; None: 2 × padding, so that any window can come. border: ``"zero"``, or ``"reflect"`` (mirrored
    without repeating the edge; padding < H, W).
    """
    import torch
    from torch.nn.functional import pad

    n, c, h, w = images.shape
    offsets = rng.integers((2 * padding if max_offset is None else max_offset) + 1, 2)
    rows = offsets[:, :1] + torch.arange(h, device=images.device)
    if border == "reflect":
        mirrored = images.flip(-1)
        padded = torch.cat((mirrored[..., w - 1 - padding : w - 1], images, mirrored[..., 1 : padding + 1]), dim=3)
        rows = _reflect(rows - padding, h)
    else:
        padded = pad(images, (padding, padding, padding, padding))
    # A window's row is w pixels that lie side by side. All runs of w pixels, seen without copying, are the rows of one
    # matrix; taking those that are wanted copies whole rows, and the index is w times smaller than the images.
    runs = padded.reshape(-1).unfold(0, w, 1)
    height, width = padded.shape[2:]
    lines = torch.arange(n * c, device=images.device).view(n, c, 1) * height + rows[:, None, :]
    starts = lines * width + offsets[:, 1, None, None]
    return runs.index_select(0, starts.view(-1)).view(n, c, h, w)


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions outside 0 … size − 1, mirrored at the edges."""
    positions = positions.abs()
    return (size - 1) - ((size - 1) - positions).abs()
