"""Gradient clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class GradientClipping(Technique):
    """Limit the gradient before each update, so that one bad batch cannot throw the weights far off.

    ``norm`` scales the whole gradient down to a length; ``value`` cuts every entry on its own.
    """

    name = "gradient_clipping"
    synonyms = ("clip", "clip_grad", "grad_clip")
    group = "gradients"
    source = "Pascanu et al. 2013, arXiv:1211.5063"
    tradeoff = "Costs a pass over the gradients; a low limit is a lower learning rate in disguise."

    mode: Literal["norm", "value"] = parameter("norm", description="limit the L2 norm of all gradients, or each entry")
    limit: float = parameter(1.0, gt=0, le=1e6, description="largest norm, or largest absolute entry")

    def register(self, build: Builder) -> None:
        """Edit the gradients after they are unscaled."""
        build.hooks.gradient_edits.add(self._clip, rank=100)

    def _clip(self, parameters: list[nn.Parameter]) -> None:
        from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_

        from workbench.tensors import gradient_norm

        if self.mode == "norm":
            norm = gradient_norm([p.grad for p in parameters if p.grad is not None])
            clip_grads_with_norm_(parameters, self.limit, norm, foreach=True)
        else:
            clip_grad_value_(parameters, self.limit, foreach=True)
