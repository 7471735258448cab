"""The activation function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class Activation(Technique):
    """Put another activation function in the place of every ReLU.

    Smooth ones (GELU, SiLU, CELU) let a little of the negative side through, so no unit is ever dead. CELU with a small
    alpha stays close to ReLU; the fast recipes for CIFAR-10 use CELU 0.075, GELU or SiLU.
    """

    name = "activation"
    group = "architecture"
    source = "CELU: Barron 2017, arXiv:1704.07483; GELU: arXiv:1606.08415; SiLU: arXiv:1702.03118"
    tradeoff = "A few tenths of a point at most; exponentials cost time where no compiler fuses them."

    function: Literal["relu", "celu", "gelu", "silu"] = parameter("gelu", description="the function")
    alpha: float = parameter(1.0, gt=0, le=100, description="celu: the negative side goes down to −alpha")

    def register(self, build: Builder) -> None:
        """Replace the model's activations."""
        build.hooks.model_edits.add(self._replace)

    def _replace(self, model: nn.Module) -> nn.Module:
        from torch import nn

        from workbench.models.layers.surgery import replace_modules

        replace_modules(model, lambda module: type(module) is nn.ReLU, lambda module: self._made())
        return model

    def _made(self) -> nn.Module:
        from torch import nn

        if self.function == "celu":
            return nn.CELU(self.alpha)
        kinds: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
        return kinds[self.function]()
