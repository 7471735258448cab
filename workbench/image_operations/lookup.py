"""Lookup tables: what happens to a pixel depends on its own value and on its image alone.

A table is uint8 ``[256]``, the new value of each old one. Brightness, posterize, solarize and invert have one table for
all images; contrast has one for each image, autocontrast and equalize one for each image and channel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.image_operations.convert import as_uint8


def look_up(values: Tensor, tables: Tensor) -> Tensor:
    """Replace values 0–255, int64 ``[N, C, P]``, by their entries in tables ``[N, 1 or C, 256]``; gives uint8."""
    return tables.expand(-1, values.shape[1], -1).gather(2, values)


def identity() -> Tensor:
    """The table that changes nothing."""
    return torch.arange(256, dtype=torch.uint8)


def brightness(factor: float) -> Tensor:
    """The table of a multiplication; 0 gives black, 1 the image."""
    return as_uint8((torch.arange(256) * factor).clamp_(max=255))


def posterize(bits: int) -> Tensor:
    """The table that keeps the highest 0–8 bits."""
    return identity() & (256 - (1 << (8 - bits)))


def solarize(threshold: float) -> Tensor:
    """The table that inverts values from a threshold (0–255) upwards; 0 inverts all."""
    values = identity()
    return torch.where(values >= threshold, 255 - values, values)


def contrast(greys: Tensor, factors: Tensor) -> Tensor:
    """Tables ``[N, 1, 256]`` that blend with the mean grey.

    greys: float32 ``[N, 1, H, W]``, whole values. factors: float32 ``[N, 2]``, the image's and the grey's; together 1.
    """
    # In 64 bits the sum is exact: its terms' order, which depends on the batch and the threads, cannot matter.
    mean = greys.sum(dim=(1, 2, 3), dtype=torch.float64).float()[:, None] / greys[0].numel()
    values = torch.arange(256, device=greys.device, dtype=torch.float32)
    tables = (values * factors[:, :1]).addcmul_(mean, factors[:, 1:])
    return as_uint8(tables.clamp_(0, 255))[:, None]


def autocontrast(images: Tensor) -> Tensor:
    """Tables ``[N, C, 256]`` that stretch each channel of uint8 images ``[N, C, H, W]`` to 0–255; even ones stay."""
    flat = images.flatten(2)
    low, high = flat.amin(2, keepdim=True).float(), flat.amax(2, keepdim=True).float()
    even = low == high
    scale = ((high - low) * (1 / 255)).masked_fill_(even, 1)
    values = torch.arange(256, device=images.device, dtype=torch.float32)
    return as_uint8((values - low.masked_fill_(even, 0)).div_(scale).clamp_(0, 255))


def equalize(values: Tensor) -> Tensor:
    """Tables ``[N, C, 256]`` that flatten the histogram of each channel, given as int64 values 0–255 ``[N, C, P]``.

    Pillow's rule: an old value becomes the number of pixels below it, divided by a step, the 255th part of all pixels
    but those of the highest value. A channel whose step would be 0 stays as it is.
    """
    n, channels, pixels = values.shape
    one = torch.ones((), dtype=torch.int32, device=values.device)
    histogram = torch.zeros((n, channels, 256), dtype=torch.int32, device=values.device)
    histogram.scatter_add_(2, values, one.expand_as(values))
    below = histogram.cumsum(2, dtype=torch.int32).sub_(histogram)
    highest = values.amax(2, keepdim=True)
    step = (pixels - histogram.gather(2, highest)) // 255
    # Quotients of whole numbers under 2**24 are never rounded up to the next whole one in float32.
    flattened = (below.add_(step // 2) / step.clamp(min=1)).clamp_(max=255)
    unchanged = torch.arange(256, device=values.device, dtype=torch.float32)
    return as_uint8(torch.where(step > 0, flattened, unchanged))
