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


def whitening_filters(images: Tensor, size: int, eps: float) -> Tensor:
    """float32 ``[C·size², C, size, size]``: filters whose outputs on the images' patches are uncorrelated.

    images: float ``[N, C, H, W]`` of mean about 0. Each filter is an eigenvector of the patches' second moments, the
    strongest first, divided by √(eigenvalue + eps): its output has about unit variance. Its sign, which is free, is
    that which makes its largest entry positive, so that the filters are the same on every machine.
    """
    channels = images.shape[1]
    patches = images.float().unfold(2, size, 1).unfold(3, size, 1).movedim(1, 3).reshape(-1, channels * size * size)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    vectors = vectors.T.flip(0)
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    scales = (values.flip(0).clamp(min=0) + eps).sqrt()
    filters: Tensor = vectors * largest.sign() / scales[:, None]
    return filters.reshape(-1, channels, size, size)
