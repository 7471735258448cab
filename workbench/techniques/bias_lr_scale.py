"""A learning rate of their own for biases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder


class BiasLrScale(Technique):
    """Train biases at a multiple of the learning rate; those of the norms profit most from a much higher one.

    A bias moves a channel's activation by a share of it that no weight decay or norm behind it undoes, and it takes
    large steps. The weight decay is divided by the factor, as it acts through the rate: its pull stays what it was.
    """

    name = "bias_lr_scale"
    earlier_name = "bias_rate"
    group = "gradients"
    source = "Page 2019, How to Train Your ResNet; Jordan 2024, arXiv:2404.00498 (64 for the norms)"
    tradeoff = "Free, and worth a quarter of the epochs in very short runs; one more rate to tune."

    factor: float = parameter(64.0, gt=0, le=100_000, description="multiple of the learning rate")
    of: Literal["norms", "all"] = parameter("norms", description="norms: the biases of norms; all: every bias")

    def register(self, build: Builder) -> None:
        """Give the biases groups of their own."""

        def split(optimizer: Optimizer, model: nn.Module) -> None:
            separate(optimizer, model, self.factor, norms_only=self.of == "norms")

        build.hooks.optimizer_edits.add(split, rank=-10)


def separate(optimizer: Optimizer, model: nn.Module, factor: float, *, norms_only: bool) -> None:
    """Move the model's biases into groups of the optimizer with ``factor`` times the rate and 1 / factor of the decay.

    Groups whose steps do not depend on the gradient's size (marked ``scale_free``) are left alone: they hold no biases.
    """
    from workbench.optimizers.parameter_groups import NORMS

    biases = {
        id(weight)
        for module in model.modules()
        for name, weight in module.named_parameters(recurse=False)
        if name.endswith("bias") and (isinstance(module, NORMS) or not norms_only)
    }
    for group in list(optimizer.param_groups):
        moved = [weight for weight in group["params"] if id(weight) in biases]
        if not moved:
            continue
        settings = {name: value for name, value in group.items() if name != "params"}
        settings |= {"lr": group["lr"] * factor, "weight_decay": group["weight_decay"] / factor}
        rest = [weight for weight in group["params"] if id(weight) not in biases]
        if rest:
            group["params"] = rest
            optimizer.add_param_group({"params": moved, **settings})
        else:
            group |= settings
