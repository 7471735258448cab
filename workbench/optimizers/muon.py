"""Muon: momentum made orthogonal for matrices, SGD for everything else, in one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from workbench.optimizers.eager import Eager

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic a·x + b·x³ + c·x⁵: the steepest at 0 that keeps singular values near 1, between about 0.7 and 1.2."""

ON_CUDA = torch.bfloat16
"""What a GPU iterates in; it returns it, too."""


def orthogonalise(matrices: Tensor, steps: int) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly, of each matrix ``[n, rows, columns]``: singular values near 1.

    Newton–Schulz iteration on the matrix divided by its Frobenius norm; a matrix of zeros stays one. On CUDA in bf16,
    which is returned: its rounding is small beside the band that the quintic leaves. On the CPU in the format given, as
    bf16 products would give other bits on processors that have instructions for them and be slow on those without.
    """
    a, b, c = COEFFICIENTS
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    if x.is_cuda:
        x = x.to(ON_CUDA)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(Eager):
    """Groups with ``orthogonalise`` take Muon's step, the others SGD's, each with its own rate and momentum.

    Muon's step: ``w ← (1 − lr · weight_decay) · w − lr · max(1, rows / columns)^½ · orthogonalise(direction)``, where a
    weight ``[C_out, …]`` is a matrix of C_out rows and the direction is the (Nesterov) momentum. ``renormalise`` first
    brings filters (more than two dimensions) to the Frobenius norm √C_out. Matrices of one shape are treated together.

    Like torch's fused optimizers it takes ``grad_scale`` and ``found_inf`` as attributes, tensors on the device: where
    the latter is 1 nothing changes, and the device is not asked.
    """

    _step_supports_amp_scaling = True

    def __init__(
        self,
        params: Iterable[dict[str, Any]] | Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        *,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        orthogonalise: bool = True,
        newton_schulz_steps: int = 5,
        renormalise: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
            "orthogonalise": orthogonalise,
            "newton_schulz_steps": newton_schulz_steps,
            "renormalise": renormalise,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        skip: Tensor | None = getattr(self, "found_inf", None)
        scale: Tensor | None = getattr(self, "grad_scale", None)
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if group["orthogonalise"]:
                for alike in _by_shape(weights):
                    self._orthogonal_step(alike, group, skip, scale)
            elif weights:
                self._sgd_step(weights, group, skip, scale)
        return loss

    def _momentum(self, weights: list[Tensor]) -> list[Tensor]:
        """The weights' momenta, in the weights' format: torch casts states to it when it loads them."""
        for weight in weights:
            if "momentum_buffer" not in self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        return [self.state[weight]["momentum_buffer"] for weight in weights]

    def _sgd_step(
        self, weights: list[Tensor], group: dict[str, Any], skip: Tensor | None, scale: Tensor | None
    ) -> None:
        sgd(
            weights,
            [weight.grad for weight in weights if weight.grad is not None],
            [*self._momentum(weights)] if group["momentum"] else [None] * len(weights),
            fused=True,
            grad_scale=scale,
            found_inf=skip,
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=0.0,
            nesterov=group["nesterov"],
            maximize=False,
        )

    def _orthogonal_step(
        self, weights: list[Tensor], group: dict[str, Any], skip: Tensor | None, scale: Tensor | None
    ) -> None:
        """Weights whose matrices have one shape, as one stack ``[n, rows, columns]``."""
        buffers = self._momentum(weights)
        old, velocity = _stack(weights), _stack(buffers)
        gradient = _stack([weight.grad for weight in weights if weight.grad is not None])
        if scale is not None:
            gradient = gradient / scale
        rows, columns = old.shape[1:]
        moved = gradient + group["momentum"] * velocity
        direction = gradient + group["momentum"] * moved if group["nesterov"] else moved
        new = old
        if group["renormalise"] and weights[0].ndim > 2:
            new = new * (rows**0.5 / new.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12))
        if group["weight_decay"]:
            new = new * (1 - group["lr"] * group["weight_decay"])
        update = orthogonalise(direction, group["newton_schulz_steps"]).to(new.dtype)
        new = new - update * (group["lr"] * max(1.0, rows / columns) ** 0.5)
        if skip is not None:
            moved, new = torch.where(skip > 0, velocity, moved), torch.where(skip > 0, old, new)
        for targets, values in ((buffers, moved), (weights, new)):
            torch._foreach_copy_(targets, [v.view(t.shape) for t, v in zip(targets, values, strict=True)])


def _by_shape(weights: list[Tensor]) -> list[list[Tensor]]:
    """The weights in lists of one matrix shape and one device; filters apart from plain matrices."""
    alike: dict[tuple[Any, ...], list[Tensor]] = {}
    for weight in weights:
        key = (weight.shape[0], weight.numel() // weight.shape[0], weight.ndim > 2, weight.device)
        alike.setdefault(key, []).append(weight)
    return list(alike.values())


def _stack(tensors: list[Tensor]) -> Tensor:
    """``[n, rows, columns]`` in fp32 or better."""
    stacked = torch.stack([tensor.flatten(1) for tensor in tensors])
    return stacked.to(torch.promote_types(stacked.dtype, torch.float32))
