"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder


class AdamW(Technique):
    """Scale every parameter's step by its gradient's recent size; decay weights apart from the gradient.

    Forgiving about the learning rate. Norms and biases are spared from the decay by default.
    """

    name = "adamw"
    earlier_keys = {"decay_exclude": "spare_from_decay"}
    group = "optimizer"
    source = "Loshchilov and Hutter 2019, arXiv:1711.05101"
    tradeoff = "Two more numbers a parameter in memory; on small images often slightly behind well-tuned SGD."

    learning_rate: float = parameter(
        1e-3, label="lr", gt=0, le=1000, description="peak learning rate; the schedule scales it"
    )
    weight_decay: float = parameter(
        0.01, ge=0, le=10, description="share of the weight, times the rate, taken off a step"
    )
    beta1: float = parameter(0.9, ge=0, lt=1, description="memory of the mean gradient")
    beta2: float = parameter(0.999, ge=0, lt=1, description="memory of the squared gradient")
    eps: float = parameter(1e-8, gt=0, le=1, description="added to the root of the squared gradient")
    decay_exclude: Literal["nothing", "biases", "norms_and_biases"] = parameter(
        "norms_and_biases", description="what the weight decay leaves alone; norms are told by their module type"
    )

    def register(self, build: Builder) -> None:
        """Make the optimizer."""
        build.hooks.optimizer.add(self._optimizer)

    def _optimizer(self, model: nn.Module) -> Optimizer:
        from workbench.optimizers import eager
        from workbench.optimizers.parameter_groups import parameter_groups

        return eager.AdamW(
            parameter_groups(model, self.weight_decay, spare=self.decay_exclude),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            fused=True,
        )
