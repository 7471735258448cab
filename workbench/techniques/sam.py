"""Sharpness-aware minimisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workbench.hooks import Builder

    Compute = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class SAM(Technique):
    """Take the gradient not here but where the loss is highest nearby: the network settles in flat minima.

    A first gradient shows the way up; from ρ further along it the second one is taken, and used here. Loss, accuracy
    and the norms' running statistics are those of the first pass. Layers such as dropout draw anew in the second.
    """

    name = "sam"
    group = "gradients"
    source = "Foret et al. 2021, arXiv:2010.01412; adaptive: Kwon et al. 2021, arXiv:2102.11600"
    tradeoff = "Every step costs two forward and backward passes; pays in long runs that overfit."

    rho: float = parameter(0.05, gt=0, le=100, description="length of the way up, ρ; adaptive wants about ten times it")
    adaptive: bool = parameter(False, description="measure lengths relative to each weight's size (ASAM)")

    def register(self, build: Builder) -> None:
        """Wrap forward and backward, outside of what splits the batch."""

        def wrap(compute: Compute, model: nn.Module) -> Compute:
            return lambda images, targets: sharpness_aware(
                compute, images, targets, model, self.rho, adaptive=self.adaptive
            )

        build.hooks.gradient.add(wrap, rank=100)


def sharpness_aware(
    compute: Compute, images: Tensor, targets: Tensor, model: nn.Module, rho: float, *, adaptive: bool = False
) -> tuple[Tensor, Tensor]:
    """Leave the gradient at w + ε in the parameters w; return loss and logits at w.

    ``compute`` leaves gradients g at the present weights, in any scale, in parameters whose ``.grad`` is None before.
    ε = ρ g / ‖g‖; adaptive: ε = ρ T²g / ‖Tg‖ with T = |w| + 0.01. Weights and the model's buffers come back to the bit.
    A gradient at w that is not finite makes one left in the parameters so too, for the step to be masked.
    """
    import torch

    from workbench import torch_compat
    from workbench.tensors import memory_blocks

    loss, logits = compute(images, targets)
    weights: list[Tensor] = [weight for weight in model.parameters() if weight.grad is not None]
    if not weights:
        return loss, logits
    statistics = memory_blocks(model.buffers())
    with torch.no_grad():
        kept_weights, kept_statistics = _copies(weights), _copies(statistics)
        norm = ascend(weights, rho, adaptive=adaptive)
    for weight in weights:
        weight.grad = None
    try:
        compute(images, targets)
    finally:
        with torch.no_grad():
            torch_compat.foreach_copy_(weights, kept_weights)
            if statistics:
                torch_compat.foreach_copy_(statistics, kept_statistics)
    first = next((weight.grad for weight in weights if weight.grad is not None), None)
    if first is not None:
        first.add_(norm * 0)  # NaN if the norm is not finite, else nothing
    return loss, logits


def ascend(weights: list[Tensor], rho: float, *, adaptive: bool) -> Tensor:
    """Add ε to weights that all have gradients; return ‖g‖, or ‖Tg‖ if adaptive, float32 ``[]``.

    Computed in fp32 or better, as a scaled gradient may not bear another factor in fp16. A gradient that is not finite
    leaves NaN in the weights.
    """
    import torch

    from workbench import torch_compat
    from workbench.tensors import gradient_norm

    way = [w.grad.to(torch.promote_types(w.dtype, torch.float32)) for w in weights if w.grad is not None]
    if adaptive:
        sizes = list(torch_compat.foreach_add(torch_compat.foreach_abs(weights), 0.01))
        way = list(torch_compat.foreach_mul(way, sizes))
        norm = gradient_norm(way)
        way = list(torch_compat.foreach_mul(way, sizes))
    else:
        norm = gradient_norm(way)
    torch_compat.foreach_add_(weights, list(torch_compat.foreach_mul(way, rho / norm.clamp(min=1e-30))))
    return norm


def _copies(tensors: list[Tensor]) -> list[Tensor]:
    import torch

    from workbench import torch_compat

    copies = [torch.empty_like(tensor) for tensor in tensors]
    if tensors:
        torch_compat.foreach_copy_(copies, tensors)
    return copies
