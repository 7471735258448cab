"""A rectangle in each image of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.randomness import SampleRng


def rectangles(
    top: Tensor, left: Tensor, bottom: Tensor, right: Tensor, height: int, width: int, dtype: torch.dtype
) -> Tensor:
    """``[N, 1, H, W]`` of the wanted type: 1 inside each image's rectangle, 0 outside.

    top, left, bottom, right: int64 ``[N]``, pixels; the row ``bottom`` and the column ``right`` are the first ones
    outside. What lies beyond the image's edge is cut off; a rectangle without height or width is empty.
    """
    rows = _between(top, bottom, height).to(dtype)
    columns = _between(left, right, width).to(dtype)
    # a product of numbers, because booleans over two broadcast sides take ten times as long on a CPU
    return rows[:, None, :, None] * columns[:, None, None, :]


def random_places(rng: SampleRng, rows: int | Tensor, columns: int | Tensor) -> tuple[Tensor, Tensor]:
    """A row, 0 … rows − 1, and a column, 0 … columns − 1, for each image: int64 ``[N]`` both, all equally likely.

    rows, columns: how many there are to choose from, for all images or int64 ``[N]``.
    """
    bits = rng.bits(2)
    return (bits[:, 0] * rows) >> 32, (bits[:, 1] * columns) >> 32


def _between(start: Tensor, stop: Tensor, size: int) -> Tensor:
    positions = torch.arange(size, device=start.device)
    return (positions >= start[:, None]) & (positions < stop[:, None])
