"""Modules that models and techniques build networks from. Imports torch."""

from workbench.models.layers.residual import Pair, Shortcut

__all__ = ["Pair", "Shortcut"]
