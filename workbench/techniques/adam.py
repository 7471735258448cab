"""Adam, with weight decay in the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder


class Adam(Technique):
    """Scale every parameter's step by its gradient's recent size.

    Forgiving about the learning rate. Weight decay is L2: it is added to the gradient and scaled with it, so weights
    with large gradients are decayed less; for an even decay take adamw. Without decay the two are the same.
    """

    name = "adam"
    earlier_keys = {"decay_exclude": "spare_from_decay"}
    group = "optimizer"
    source = "Kingma and Ba 2015, arXiv:1412.6980; torch.optim.Adam"
    tradeoff = "Two more numbers a parameter in memory; with weight decay it usually ends behind adamw and SGD."

    learning_rate: float = parameter(
        1e-3, label="lr", gt=0, le=1000, description="peak learning rate; the schedule scales it"
    )
    weight_decay: float = parameter(0.0, ge=0, le=1, description="L2 penalty, added to the gradient")
    beta1: float = parameter(0.9, ge=0, lt=1, description="memory of the mean gradient")
    beta2: float = parameter(0.999, ge=0, lt=1, description="memory of the squared gradient")
    eps: float = parameter(1e-8, gt=0, le=1, description="added to the root of the squared gradient")
    decay_exclude: Literal["nothing", "biases", "norms_and_biases"] = parameter(
        "nothing", description="what the weight decay leaves alone; norms are told by their module type"
    )

    def register(self, build: Builder) -> None:
        """Make the optimizer."""
        build.hooks.optimizer.add(self._optimizer)

    def _optimizer(self, model: nn.Module) -> Optimizer:
        from workbench.optimizers import eager
        from workbench.optimizers.parameter_groups import parameter_groups

        return eager.Adam(
            parameter_groups(model, self.weight_decay, spare=self.decay_exclude),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            fused=True,
        )
