"""A constant factor on the network's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.registered import DoesNotFit
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class LogitScale(Technique):
    """Multiply the logits by a constant, usually a small one: training starts out unsure and confidence grows slowly.

    A factor of 1/8 starts at a loss of almost exactly ln(classes), makes the output layer's gradient 8 times smaller,
    and lets high learning rates work on the layers before.
    """

    name = "logit_scale"
    group = "architecture"
    source = "Page 2019, How to Train Your ResNet (1/8); a 94-line script for 94 % on CIFAR-10"
    tradeoff = "Free; the best factor depends on the output layer's learning rate."

    scale: float = parameter(0.125, gt=0, le=1000, description="factor on the logits")

    def register(self, build: Builder) -> None:
        """Scale what comes out of the output layer."""
        build.hooks.model_edits.add(self._append, rank=90)

    def _append(self, model: nn.Module) -> nn.Module:
        from workbench.models.layers import Scale
        from workbench.models.layers.surgery import linear_layers, put_after

        layers = linear_layers(model)
        if not layers:
            raise DoesNotFit("techniques.logit_scale: this model has no fully connected output layer; switch it off")
        put_after(model, layers[-1], "scale", Scale(self.scale))
        return model
