"""Xavier (Glorot) initialisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class Xavier(Technique):
    """Draw weights with variance 2 / (inputs + outputs), which keeps the size of activations and of gradients alike.

    Made for tanh and sigmoid, which pass small signals unchanged. ReLU throws half of the signal away, so He's variance
    suits it better.
    """

    name = "xavier"
    synonyms = ("glorot",)
    group = "initialisation"
    source = "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"
    tradeoff = "With ReLU the signal shrinks from layer to layer unless norms hold it up."
    excludes: ClassVar[dict[str, str]] = {"he_init": "both draw every weight anew, so one of them would do nothing"}

    distribution: Literal["uniform", "normal"] = parameter("uniform", description="what the weights are drawn from")
    gain: float = parameter(1.0, gt=0, le=100, description="factor on the standard deviation")
    output_layer: bool = parameter(True, description="the output layer too; false leaves it as the model made it")

    def register(self, build: Builder) -> None:
        """Set the weights after the model is made."""
        build.hooks.initialisation.add(self._initialise)

    def _initialise(self, model: nn.Module, sample: Any) -> None:
        xavier(model, distribution=self.distribution, gain=self.gain, output_layer=self.output_layer)


def xavier(model: nn.Module, *, distribution: str = "uniform", gain: float = 1.0, output_layer: bool = True) -> None:
    """Initialise every convolution and linear layer of a model in place, from torch's global generator.

    The weights' standard deviation is ``gain · √(2 / (fan_in + fan_out))``; biases 0.
    """
    from torch import nn

    from workbench.models.layers.surgery import weighted_layers

    draw = nn.init.xavier_uniform_ if distribution == "uniform" else nn.init.xavier_normal_
    for layer in weighted_layers(model, output_layer=output_layer):
        draw(layer.weight, gain=gain)  # type: ignore[arg-type]
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
