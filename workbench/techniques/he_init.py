"""He (Kaiming) initialisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class HeInit(Technique):
    """Draw weights from a normal distribution with variance 2 / fan, so that ReLU layers keep the signal's size.

    Convolutions and linear layers get it; their biases start at 0. On the output layer it makes the first logits spread
    (standard deviation about 1.9 in the ladder's network), so the first loss is near 3.6 instead of ln 10.
    """

    name = "he_init"
    synonyms = ("kaiming",)
    group = "initialisation"
    starter = True
    source = "He et al. 2015, arXiv:1502.01852"
    tradeoff = "Behind batch norm it hardly matters."

    fan: Literal["in", "out"] = parameter(
        "in", description="in: keep the size of activations on the way forward; out: of gradients on the way back"
    )
    output_layer: bool = parameter(True, description="the output layer too; false leaves it as the model made it")

    def register(self, build: Builder) -> None:
        """Set the weights after the model is made."""
        build.hooks.initialisation.add(self._initialise)

    def _initialise(self, model: nn.Module, sample: Any) -> None:
        he_init(model, fan=self.fan, output_layer=self.output_layer)


def he_init(model: nn.Module, *, fan: Literal["in", "out"] = "in", output_layer: bool = True) -> None:
    """Initialise every convolution and linear layer of a model in place, from torch's global generator.

    weights ~ N(0, 2 / fan); biases 0. The output layer is the last linear layer of the model.
    """
    from torch import nn

    from workbench.models.layers.surgery import weighted_layers

    for layer in weighted_layers(model, output_layer=output_layer):
        nn.init.kaiming_normal_(layer.weight, mode=f"fan_{fan}", nonlinearity="relu")  # type: ignore[arg-type]
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
