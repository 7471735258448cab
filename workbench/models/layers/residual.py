"""Pairs of 3×3 convolutions, with or without a skip connection (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from workbench.models.base import ModelOptions


class Shortcut(nn.Sequential):
    """The projection that makes a skip connection's shapes match: 1×1 convolution with a stride, then the norm."""


class Pair(nn.Module):
    """conv 3×3, norm, ReLU, conv 3×3, norm, then the skip connection if residual, then ReLU.

    ``[N, before, H, W]`` to ``[N, width, ceil(H / stride), ceil(W / stride)]``. Convolutions have a bias only where no
    norm follows them. The skip is the identity where shapes agree and a projection elsewhere.
    """

    def __init__(self, before: int, width: int, stride: int, options: ModelOptions) -> None:
        super().__init__()
        norm = options.norm2d
        layers: list[tuple[str, nn.Module]] = [
            ("conv1", nn.Conv2d(before, width, 3, stride, 1, bias=norm is None)),
            *([("norm1", norm(width))] if norm else []),
            ("activation", nn.ReLU()),
            ("conv2", nn.Conv2d(width, width, 3, 1, 1, bias=norm is None)),
            *([("norm2", norm(width))] if norm else []),
        ]
        self.branch = nn.Sequential(OrderedDict(layers))
        self.shortcut: nn.Module | None = None
        if options.residual:
            self.shortcut = nn.Identity()
            if stride != 1 or before != width:
                projection: list[nn.Module] = [nn.Conv2d(before, width, 1, stride, bias=norm is None)]
                self.shortcut = Shortcut(*projection, *([norm(width)] if norm else []))
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the pair."""
        out = self.branch(x)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        activated: Tensor = self.activation(out)
        return activated
