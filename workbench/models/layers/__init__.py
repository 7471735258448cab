"""Modules that models and techniques put together, and how techniques find and change them."""

from workbench.models.layers.block import Block
from workbench.models.layers.global_max_pool import GlobalMaxPool
from workbench.models.layers.residual import Pair, Shortcut

__all__ = ["Block", "GlobalMaxPool", "Pair", "Shortcut"]
