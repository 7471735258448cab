"""Modules that models and techniques build networks from, and how techniques find and change them. Imports torch."""

from workbench.models.layers.block import Block
from workbench.models.layers.blur import Blur
from workbench.models.layers.global_max_pool import GlobalMaxPool
from workbench.models.layers.max_pool import MaxPool
from workbench.models.layers.residual import Pair, Shortcut
from workbench.models.layers.scale import Scale
from workbench.models.layers.squeeze_excite import SqueezeExcite
from workbench.models.layers.stochastic_depth import StochasticDepth
from workbench.models.layers.whitening import Whitening

__all__ = [
    "Block",
    "Blur",
    "GlobalMaxPool",
    "MaxPool",
    "Pair",
    "Scale",
    "Shortcut",
    "SqueezeExcite",
    "StochasticDepth",
    "Whitening",
]
