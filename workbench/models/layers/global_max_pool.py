"""Global max-pooling."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class GlobalMaxPool(nn.Module):
    """The largest value of each channel: ``[N, C, H, W]`` to ``[N, C]``, for any H and W."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return max_pool2d(x, (x.shape[2], x.shape[3])).flatten(1)
