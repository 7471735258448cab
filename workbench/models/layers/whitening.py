"""A fixed convolution that decorrelates the pixels of image patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class Whitening(nn.Module):
    """k×k filters that are not trained, each followed by its negative, with a trained bias and without padding.

    ``[N, C, H, W]`` to ``[N, 2·C·k², H − k + 1, W − k + 1]``. The filters are a buffer, so that neither optimizers nor
    initialisations find them; :meth:`fit` takes them from images. The bias starts as a convolution's does.
    """

    filters: Tensor

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        patch = channels * size * size
        self.register_buffer("filters", torch.zeros(2 * patch, channels, size, size))
        self.bias = nn.Parameter(torch.empty(2 * patch).uniform_(-(patch**-0.5), patch**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Filter."""
        return conv2d(x, self.filters, self.bias)

    @torch.no_grad()
    def fit(self, images: Tensor, eps: float) -> None:
        """Take the filters from float images ``[N, C, H, W]``: eigenvectors of their patches / √(eigenvalue + eps)."""
        filters = whitening_filters(images, self.filters.shape[-1], eps)
        self.filters.copy_(torch.cat((filters, -filters)))

    def extra_repr(self) -> str:
        """What a printed network says."""
        size = self.filters.shape[-1]
        return f"{self.filters.shape[1]}, {len(self.filters)}, kernel_size=({size}, {size})"


CHUNK = {"cpu": 64, "cuda": 1000}
"""Images whose patches are summed at once, by device: on a CPU they stay in its cache, on a GPU launches count."""


def second_moments(images: Tensor, size: int) -> Tensor:
    """float64 ``[C·size², C·size²]``: means of the products of two pixels of a size×size patch, over all patches.

    images: float ``[N, C, H, W]``. Rows are in the order channel, row, column. All is computed in 64 bits: the error of
    32 is enough to turn the filters of faint directions, which differ little in strength, by thousandths.
    """
    count, channels, height, width = images.shape
    high, wide, pixels = height - size + 1, width - size + 1, channels * size * size
    chunk = CHUNK[images.device.type]
    rows = torch.empty(pixels, min(chunk, count) * high * wide, dtype=torch.float64, device=images.device)
    sums = torch.zeros(pixels, pixels, dtype=torch.float64, device=images.device)
    for part in torch.split(images, chunk):
        patches = part.unfold(2, size, 1).unfold(3, size, 1).permute(1, 4, 5, 0, 2, 3)
        filled = rows[:, : len(part) * high * wide]
        filled.view(patches.shape).copy_(patches)
        sums += filled @ filled.T
    return sums / (count * high * wide)


def whitening_filters(images: Tensor, size: int, eps: float) -> Tensor:
    """float32 ``[C·size², C, size, size]``: filters whose outputs on the images' patches are uncorrelated.

    images: float ``[N, C, H, W]`` of mean about 0. Each filter is an eigenvector of the patches' second moments, the
    strongest first, divided by √(eigenvalue + eps): its output has about unit variance. Its sign, which is free, is
    that which makes its largest entry positive, so that the filters are the same on every machine.
    """
    channels = images.shape[1]
    values, vectors = torch.linalg.eigh(second_moments(images, size).cpu())
    values, vectors = values.float(), vectors.float()
    vectors = vectors.T.flip(0)
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    scales = (values.flip(0).clamp(min=0) + eps).sqrt()
    filters: Tensor = vectors * largest.sign() / scales[:, None]
    return filters.reshape(-1, channels, size, size)
