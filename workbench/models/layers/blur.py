"""A low-pass filter before the resolution falls (Zhang 2019, arXiv:1904.11486)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from workbench.models.layers.padding import padded


class Blur(nn.Module):
    """Blur each channel with the 3×3 binomial kernel (1 2 1)ᵀ(1 2 1) / 16, then keep every ``stride``-th pixel.

    ``[N, C, H, W]`` to ``[N, C, ceil(H / stride), ceil(W / stride)]``; borders are mirrored. Twice the mean of two
    neighbours is the binomial kernel, so nothing has to be stored and any number format works.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Blur."""
        mirrors = min(x.shape[2], x.shape[3]) > 1
        wide = padded(x, (1, 1, 1, 1), "reflect" if mirrors else "replicate")
        return avg_pool2d(avg_pool2d(wide, 2, 1), 2, self.stride)

    def extra_repr(self) -> str:
        """What a printed network says."""
        return f"stride={self.stride}"
