"""Stochastic gradient descent."""

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


class SGD(Technique):
    """Step against the gradient, with momentum, Nesterov's correction and weight decay if wanted.

    Still the usual choice for convolutional networks on small images. Weight decay here is L2: it is added to the
    gradient.
    """

    name = "sgd"
    synonyms = ("momentum",)
    earlier_keys = {"decay_exclude": "spare_from_decay"}
    group = "optimizer"
    starter = True
    source = "Sutskever et al. 2013 (momentum, Nesterov); torch.optim.SGD"
    tradeoff = "Needs a learning rate and a schedule that fit; rewards them with the best accuracy."

    learning_rate: float = parameter(
        0.1, label="lr", gt=0, le=1000, description="peak learning rate; the schedule scales it"
    )
    momentum: float = parameter(0.9, ge=0, lt=1, description="share of the last update that goes on")
    nesterov: bool = parameter(False, description="look ahead along the momentum before taking the gradient")
    dampening: float = parameter(0.0, ge=0, lt=1, description="share of the gradient kept out of the momentum")
    weight_decay: float = parameter(0.0, ge=0, le=1, description="L2 penalty, added to the gradient")
    decay_exclude: Literal["nothing", "biases", "norms_and_biases"] = parameter(
        "nothing", description="what the weight decay leaves alone; norms are told by their module type"
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Nesterov's correction needs momentum and no dampening."""
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            yield "nesterov", "needs momentum > 0 and dampening = 0"

    def register(self, build: Builder) -> None:
        """Make the optimizer."""
        build.hooks.optimizer.add(self._optimizer)

    def _optimizer(self, model: nn.Module) -> Optimizer:
        from workbench.optimizers import eager
        from workbench.optimizers.parameter_groups import parameter_groups

        return eager.SGD(
            parameter_groups(model, self.weight_decay, spare=self.decay_exclude),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            dampening=self.dampening,
            fused=True,
        )
