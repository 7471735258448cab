"""2×2 max pooling of channels-last images and its gradient, in Triton. Imports triton.

torch's own keeps eight bytes for the place of each maximum and fills the gradient with zeros before it adds to it.
These keep one byte, and write each number once: they are bound by the speed of memory. For that, threads take up to
sixteen bytes of neighbouring channels at once, and find out where they are once for all of them: with a division for
every number a GPU counts places for three times as long as it moves bytes.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Numbers of the smaller images for each program of a launch."""
MOST_CHANNELS = 64
"""Of them, channels at most; the rest are places."""
SIZES = ["count", "height", "width", "high", "wide"]
"""What no kernel is compiled anew for. Of the channels it matters how many there are at most in a program, and whether
all begin at a multiple of 16."""


@triton.jit  # type: ignore[untyped-decorator]
def _places(count, high, wide, PLACES: tl.constexpr):  # type: ignore[no-untyped-def]
    """Image, row and column of a program's places, and whether there are such; each ``[PLACES, 1]``."""
    at = tl.program_id(0) * PLACES + tl.arange(0, PLACES)[:, None]
    image, row = at // (high * wide), (at // wide) % high
    return image, row, at % wide, at < count


@triton.jit  # type: ignore[untyped-decorator]
def _channels(channels, CHANNELS: tl.constexpr):  # type: ignore[no-untyped-def]
    """A program's channels, and whether there are such; each ``[1, CHANNELS]``."""
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    return channel, channel < channels


@triton.jit(do_not_specialize=SIZES)  # type: ignore[untyped-decorator]
def _pool(x, y, places, count, height, width, high, wide, channels, PLACES: tl.constexpr, CHANNELS: tl.constexpr):  # type: ignore[no-untyped-def]
    image, row, column, there = _places(count, high, wide, PLACES)
    channel, of_these = _channels(channels, CHANNELS)
    inside = there & of_these
    corner = ((image * height + 2 * row) * width + 2 * column) * channels + channel
    best = tl.load(x + corner, inside, 0.0).to(tl.float32)
    place = tl.zeros_like(best).to(tl.int8)
    for other in tl.static_range(1, 4):
        value = tl.load(x + corner + ((other // 2) * width + other % 2) * channels, inside, 0.0).to(tl.float32)
        better = (value > best) | (value != value)  # of equals the first, of several NaN the last, as torch's
        best, place = tl.where(better, value, best), tl.where(better, other, place).to(tl.int8)
    at = ((image * high + row) * wide + column) * channels + channel
    tl.store(y + at, best.to(y.dtype.element_ty), inside)
    tl.store(places + at, place, inside)


@triton.jit(do_not_specialize=[*SIZES, "tall", "broad"])  # type: ignore[untyped-decorator]
def _gradient(  # type: ignore[no-untyped-def]
    gradient, places, result, count, height, width, high, wide, tall, broad, channels,
    PLACES: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """tall, broad: places of the result two by two, those counted of which a last row or column has but one."""
    image, row, column, there = _places(count, tall, broad, PLACES)
    channel, of_these = _channels(channels, CHANNELS)
    pooled = there & (row < high) & (column < wide) & of_these
    output = ((image * high + row) * wide + column) * channels + channel
    place = tl.load(places + output, pooled, -1).to(tl.int32)
    value = tl.load(gradient + output, pooled, 0.0)
    for each in tl.static_range(4):
        own_row, own_column = 2 * row + each // 2, 2 * column + each % 2
        inside = there & (own_row < height) & (own_column < width) & of_these
        at = ((image * height + own_row) * width + own_column) * channels + channel
        tl.store(result + at, tl.where(place == each, value, 0.0), inside)


def pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima ``[N, C, H // 2, W // 2]`` of channels-last ``[N, C, H, W]``, and their places as int8, 0 to 3 by rows."""
    images, channels, height, width = x.shape
    high, wide = height // 2, width // 2
    shape = (images, channels, high, wide)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    places = torch.empty(shape, dtype=torch.int8, device=x.device, memory_format=torch.channels_last)
    count = images * high * wide
    grid, sizes = _grid(count, channels)
    _pool[grid](x, y, places, count, height, width, high, wide, channels, **sizes)
    return y, places


def pool_gradient(gradient: Tensor, places: Tensor, height: int, width: int) -> Tensor:
    """The gradient of the images ``[N, C, H, W]`` from that of the maxima, both channels-last."""
    images, channels, high, wide = gradient.shape
    shape = (images, channels, height, width)
    result = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last)
    tall, broad = -(-height // 2), -(-width // 2)
    count = images * tall * broad
    grid, sizes = _grid(count, channels)
    _gradient[grid](gradient, places, result, count, height, width, high, wide, tall, broad, channels, **sizes)
    return result


def _grid(count: int, channels: int) -> tuple[tuple[int, int], dict[str, Any]]:
    """Programs for so many places, and what they are compiled for: how many places and channels each of them has."""
    together = min(MOST_CHANNELS, triton.next_power_of_2(channels))
    places = BLOCK // together
    sizes = {"PLACES": places, "CHANNELS": together, "enable_fp_fusion": False}  # newer ones want to be told
    return (triton.cdiv(count, places), triton.cdiv(channels, together)), sizes
