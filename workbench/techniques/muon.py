"""Muon."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe


class Muon(Technique):
    """Make the momentum of each filter bank and hidden layer orthogonal before the step; SGD for all the rest.

    Every direction in which a layer's weights can move then gets a step of about the same size, also those that
    gradients hardly show; networks reach an accuracy in fewer steps. Matrices are ``[C_out, C_in·kh·kw]``; a step is
    scaled by max(1, rows / columns)^½ and does not depend on the gradient's size. Norms, biases and the output layer
    take SGD's steps at a rate of their own. The schedule scales both rates.
    """

    name = "muon"
    earlier_keys = {"decay_exclude": "spare_from_decay"}
    group = "optimizer"
    source = "Jordan 2024, Muon: an optimizer for hidden layers in neural networks (no arXiv); airbench94_muon"
    tradeoff = (
        "Fewer steps to the same accuracy; each costs some matrix products more, and there are two rates to tune."
    )

    learning_rate: float = parameter(
        0.1, label="lr", gt=0, le=1000, description="Muon's peak learning rate, in units of an orthogonal matrix"
    )
    momentum: float = parameter(0.6, ge=0, lt=1, description="Muon: share of the last update that goes on")
    nesterov: bool = parameter(True, description="look ahead along the momentum, in both parts")
    newton_schulz_steps: int = parameter(
        5, ge=1, le=100, description="iterations towards an orthogonal matrix; 3 do in short runs"
    )
    weight_decay: float = parameter(
        0.0, ge=0, le=10, description="Muon: share of the weight, times the rate, taken off a step"
    )
    renormalise: bool = parameter(
        True, description="bring filters to the Frobenius norm √C_out before each step; their decay then does nothing"
    )
    first_convolution: bool = parameter(
        True, description="Muon also trains the convolution that sees the image; false leaves it to SGD"
    )
    sgd_learning_rate: float = parameter(0.05, label="sgd lr", gt=0, le=1000, description="SGD's peak learning rate")
    sgd_momentum: float = parameter(0.9, ge=0, lt=1, description="SGD: share of the last update that goes on")
    sgd_weight_decay: float = parameter(0.0, ge=0, le=1, description="SGD: L2 penalty, added to the gradient")
    decay_exclude: Literal["nothing", "biases", "norms_and_biases"] = parameter(
        "nothing", description="what SGD's weight decay leaves alone; norms are told by their module type"
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Nesterov's correction needs momentum."""
        if self.nesterov and (self.momentum == 0 or self.sgd_momentum == 0):
            yield "nesterov", "needs momentum > 0 and sgd_momentum > 0"

    def register(self, build: Builder) -> None:
        """Make the optimizer."""
        build.hooks.optimizer.add(self._optimizer)

    def _optimizer(self, model: nn.Module) -> Optimizer:
        from workbench.optimizers.muon import Muon
        from workbench.optimizers.parameter_groups import parameter_groups

        matrices = hidden_matrices(model, first_convolution=self.first_convolution)
        taken = {id(weight) for weight in matrices}
        rest = parameter_groups(model, self.sgd_weight_decay, spare=self.decay_exclude)
        for group in rest:
            group["params"] = [weight for weight in group["params"] if id(weight) not in taken]
            group |= {"lr": self.sgd_learning_rate, "momentum": self.sgd_momentum, "orthogonalise": False}
        return Muon(
            [group for group in ({"params": matrices, "scale_free": True}, *rest) if group["params"]],
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            newton_schulz_steps=self.newton_schulz_steps,
            renormalise=self.renormalise,
        )


def hidden_matrices(model: nn.Module, *, first_convolution: bool) -> list[nn.Parameter]:
    """The trainable weights that Muon takes: of convolutions and fully connected layers with more than one output.

    Left out are the output layer (the last fully connected one) and, if so wanted, the first convolution.
    """
    from torch import nn

    from workbench.models.layers.surgery import weighted_layers

    layers = weighted_layers(model, output_layer=False)
    convolutions = [layer for layer in layers if not isinstance(layer, nn.Linear)]
    if not first_convolution:
        layers = [layer for layer in layers if layer not in convolutions[:1]]
    weights = [layer.weight for layer in layers]
    return [
        weight
        for weight in dict.fromkeys(weights)
        if isinstance(weight, nn.Parameter) and weight.requires_grad and weight.shape[0] > 1
    ]
