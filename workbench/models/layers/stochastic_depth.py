"""Branches that fall silent at random (Huang et al. 2016, arXiv:1603.09382)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Zeros with probability ``rate``, else the input divided by ``1 − rate``: the mean stays. In evaluation the input.

    ``[N, ...]`` to the same shape. per: what is drawn for, each image or the whole batch. The draws are torch's own,
    one of the input's number format for each image.
    """

    def __init__(self, rate: float, per: Literal["image", "batch"] = "image") -> None:
        super().__init__()
        self.rate, self.per = rate, per

    def forward(self, x: Tensor) -> Tensor:
        """Keep or silence."""
        if not self.training or self.rate == 0:
            return x
        drawn = x.new_empty((len(x) if self.per == "image" else 1, *[1] * (x.ndim - 1)))
        kept = drawn.bernoulli_(1 - self.rate)
        return x * (kept / (1 - self.rate) if self.rate < 1 else kept)

    def extra_repr(self) -> str:
        """What a printed network says."""
        return f"rate={self.rate}, per={self.per}"
