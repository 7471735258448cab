"""2×2 max pooling of channels-last images and its gradient, in Triton. Imports triton.

torch's own keeps eight bytes for the place of each maximum and fills the gradient with zeros before it adds to it.
These keep one byte, and write each number once: they are bound by the speed of memory.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Numbers for each program of a launch."""
SIZES = ["count", "height", "width", "channels", "high", "wide"]
"""What no kernel is compiled anew for: one for each format, compiled where it is tried, serves all images."""
OPTIONS = {"BLOCK": BLOCK, "enable_fp_fusion": False}


@triton.jit
def _place(at, channels, rows, columns):  # type: ignore[no-untyped-def]
    """Image, row, column and channel of the numbers at these places of a channels-last tensor."""
    return (
        at // (channels * columns * rows),
        (at // (channels * columns)) % rows,
        (at // channels) % columns,
        at % channels,
    )


@triton.jit(do_not_specialize=SIZES)  # type: ignore[untyped-decorator]
def _pool(x, y, places, count, height, width, channels, high, wide, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    image, row, column, channel = _place(at, channels, high, wide)
    corner = ((image * height + 2 * row) * width + 2 * column) * channels + channel
    best = tl.load(x + corner, inside, 0.0).to(tl.float32)
    place = tl.zeros_like(at).to(tl.int8)
    for other in tl.static_range(1, 4):
        value = tl.load(x + corner + ((other // 2) * width + other % 2) * channels, inside, 0.0).to(tl.float32)
        better = (value > best) | (value != value)  # of equals the first, of several NaN the last, as torch's
        best, place = tl.where(better, value, best), tl.where(better, other, place).to(tl.int8)
    tl.store(y + at, best.to(y.dtype.element_ty), inside)
    tl.store(places + at, place, inside)


@triton.jit(do_not_specialize=SIZES)  # type: ignore[untyped-decorator]
def _gradient(gradient, places, result, count, height, width, channels, high, wide, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    image, row, column, channel = _place(at, channels, height, width)
    pooled = inside & (row // 2 < high) & (column // 2 < wide)
    output = ((image * high + row // 2) * wide + column // 2) * channels + channel
    place = tl.load(places + output, pooled, -1).to(tl.int32)
    value = tl.load(gradient + output, pooled, 0.0)
    tl.store(result + at, tl.where(place == (row % 2) * 2 + column % 2, value, 0.0), inside)


def pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima ``[N, C, H // 2, W // 2]`` of channels-last ``[N, C, H, W]``, and their places as int8, 0 to 3 by rows."""
    images, channels, height, width = x.shape
    shape = (images, channels, height // 2, width // 2)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    places = torch.empty(shape, dtype=torch.int8, device=x.device, memory_format=torch.channels_last)
    sizes = (y.numel(), height, width, channels, height // 2, width // 2)
    _pool[(triton.cdiv(y.numel(), BLOCK),)](x, y, places, *sizes, **OPTIONS)
    return y, places


def pool_gradient(gradient: Tensor, places: Tensor, height: int, width: int) -> Tensor:
    """The gradient of the images ``[N, C, H, W]`` from that of the maxima, both channels-last."""
    images, channels, high, wide = gradient.shape
    shape = (images, channels, height, width)
    result = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last)
    sizes = (result.numel(), height, width, channels, high, wide)
    _gradient[(triton.cdiv(result.numel(), BLOCK),)](gradient, places, result, *sizes, **OPTIONS)
    return result
