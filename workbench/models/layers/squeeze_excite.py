"""Channels weighed by what the whole image shows (Hu et al. 2018, arXiv:1709.01507)."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Multiply each channel by a factor in (0, 1) that two small layers find from the means of all channels.

    ``[N, C, H, W]`` to the same shape. squeezed: units of the first of the two layers. Both are 1×1 convolutions with
    biases.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.ReLU(inplace=True)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh."""
        means = x.mean((2, 3), keepdim=True)
        factors: Tensor = self.excite(self.activation(self.squeeze(means))).sigmoid()
        return x * factors
