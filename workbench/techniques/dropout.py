"""Dropout in the fully connected layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class Dropout(Technique):
    """Set random inputs of the fully connected layers to 0 in training, so that no unit relies on a single other one.

    It stands before every fully connected layer that takes hidden units: before all but the first of several, or before
    the only one. What stays is scaled up, so evaluation needs no change.
    """

    name = "dropout"
    group = "architecture"
    source = "Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    tradeoff = (
        "Helps wide fully connected layers that overfit; slows learning, and behind batch norm often helps little."
    )

    rate: float = parameter(0.5, ge=0, lt=1, description="share of the inputs that are set to 0")

    def register(self, build: Builder) -> None:
        """Insert the layers."""
        build.hooks.model_edits.add(self._insert, rank=80)

    def _insert(self, model: nn.Module) -> nn.Module:
        from torch import nn

        from workbench.models.layers.surgery import linear_layers, put_before

        layers = linear_layers(model)
        for layer in layers[1:] or layers:
            put_before(model, layer, "dropout", nn.Dropout(self.rate))
        return model
