"""What models mark for techniques to find."""

from __future__ import annotations

from torch import nn


class Block(nn.Sequential):
    """A part of a network with convolutions, one after another, that ends before the next part begins.

    ``[N, C, H, W]`` in and out. Techniques may append layers to it (dropout2d, squeeze_excite); a model whose blocks
    are of this type has the capability ``"blocks"``.
    """
