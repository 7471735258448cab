"""Multiplication by a constant."""

from __future__ import annotations

from torch import Tensor, nn


class Scale(nn.Module):
    """``x · factor``."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return x * self.factor

    def extra_repr(self) -> str:
        """What a printed network says."""
        return f"factor={self.factor}"
