"""What the training images look like as numbers."""

from __future__ import annotations

import torch

from workbench.data.base import Split

_CHUNK = 64 * 2**20  # bytes of pixels at a time


def channel_statistics(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and (population) standard deviation of each channel, of pixels scaled to 0–1, over all images.

    Exact up to the last rounding: pixels are counted by value and the sums are whole numbers, so neither the number of
    threads nor the size of the chunks changes a bit. A channel of one single value has deviation 0.
    """
    shape = split.images(torch.arange(1)).shape[1:]
    histograms = torch.zeros(shape[0], 256, dtype=torch.int64)
    step = max(1, _CHUNK // shape.numel())
    for start in range(0, len(split), step):
        images = split.images(torch.arange(start, min(start + step, len(split))))
        for channel, histogram in enumerate(histograms):
            histogram += torch.bincount(images[:, channel].reshape(-1), minlength=256)
    means, deviations = [], []
    for histogram in histograms.tolist():
        count = sum(histogram)
        total = sum(value * times for value, times in enumerate(histogram))
        squares = sum(value * value * times for value, times in enumerate(histogram))
        means.append(total / (255 * count))
        deviations.append(((squares * count - total * total) / (255 * count) ** 2) ** 0.5)
    return tuple(means), tuple(deviations)
