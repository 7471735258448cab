"""Muon: momentum made orthogonal for matrices, SGD for everything else, in one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from workbench import torch_compat
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
    norms = torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7
    x = torch.empty_like(matrices, dtype=ON_CUDA if matrices.is_cuda else matrices.dtype)
    torch.div(matrices, norms, out=x)
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
                for alike in _by_format(weights):
                    self._orthogonal_step(_Stacks(alike), group, skip, scale)
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
        self, stacks: _Stacks, group: dict[str, Any], skip: Tensor | None, scale: Tensor | None
    ) -> None:
        """Weights of one format. What is done number by number is done to those of all shapes at once."""
        keep = None if skip is None else skip > 0
        weights, momentum = stacks.weights, group["momentum"]
        buffers = self._momentum(weights)
        gradient = stacks.flat([weight.grad for weight in weights if weight.grad is not None])
        if scale is not None:
            gradient.div_(scale)
        velocity = stacks.flat(buffers)
        moved = (velocity * momentum).add_(gradient)
        direction = (moved * momentum).add_(gradient) if group["nesterov"] else moved.clone()
        stacks.write(buffers, moved if keep is None else torch.where(keep, velocity, moved))
        del gradient, velocity, moved

        old = stacks.flat(weights)
        new = old.clone()
        if group["renormalise"]:
            stacks.renormalise(new)
        if group["weight_decay"]:
            new.mul_(1 - group["lr"] * group["weight_decay"])
        for part in stacks.parts(direction):
            rows, columns = part.shape[1], part[0, 0].numel()
            update = orthogonalise(part.reshape(-1, rows, columns), group["newton_schulz_steps"])
            part.copy_(update.reshape(part.shape))  # it has been used
            part.mul_(group["lr"] * max(1.0, rows / columns) ** 0.5)
        new.sub_(direction)
        stacks.write(weights, new if keep is None else torch.where(keep, old, new))


@dataclass(frozen=True)
class _Part:
    """Where the matrices of one shape stand in a flat tensor. filters: they are filter banks, not plain matrices."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    filters: bool


class _Stacks:
    """Weights of one format, and tensors like them as one flat tensor, so that one pass over that does for all.

    There, matrices of one shape lie side by side, each in its weight's memory format: no weight has to be brought
    into another order for what is done number by number.
    """

    def __init__(self, weights: list[Tensor]) -> None:
        alike = _by_shape(weights)
        self.weights = [weight for some in alike for weight in some]
        self._dtype = torch.promote_types(weights[0].dtype, torch.float32)
        self._parts: list[_Part] = []
        self._numbers = 0
        for some in alike:
            shapes = {(weight.shape, torch.empty_like(weight, device="meta").stride()) for weight in some}
            if len(shapes) == 1:
                ((shape, strides),) = shapes
            else:  # filters of 1×1 and others that make matrices of one shape
                shape = torch.Size((some[0].shape[0], some[0].numel() // some[0].shape[0]))
                strides = (shape[1], 1)
            size = some[0].numel()
            self._parts.append(_Part((len(some), *shape), (size, *strides), self._numbers, some[0].ndim > 2))
            self._numbers += len(some) * size

    def parts(self, flat: Tensor) -> list[Tensor]:
        """A flat tensor's parts, ``[n, C_out, …]`` for each shape of matrices; they share its memory."""
        return [flat.as_strided(part.shape, part.strides, part.start) for part in self._parts]

    def flat(self, tensors: list[Tensor]) -> Tensor:
        """A copy of tensors that are like the weights, in fp32 or better."""
        flat = torch.empty(self._numbers, dtype=self._dtype, device=tensors[0].device)
        torch_compat.foreach_copy_(self._views(flat), tensors)
        return flat

    def write(self, targets: list[Tensor], flat: Tensor) -> None:
        """Bring the numbers of a flat tensor back into tensors that are like the weights."""
        torch_compat.foreach_copy_(targets, self._views(flat))

    def renormalise(self, flat: Tensor) -> None:
        """Bring each filter bank in a flat tensor to the Frobenius norm √C_out."""
        filters = [numbers for part, numbers in zip(self._parts, self.parts(flat), strict=True) if part.filters]
        if not filters:
            return
        norms = [torch.linalg.vector_norm(part.reshape(*part.shape[:2], -1), dim=(1, 2)) for part in filters]
        torch_compat.foreach_clamp_min_(norms, 1e-12)
        torch_compat.foreach_reciprocal_(norms)
        torch_compat.foreach_mul_(norms, [part.shape[1] ** 0.5 for part in filters])
        for part, factors in zip(filters, norms, strict=True):
            part.mul_(factors.view(-1, *[1] * (part.ndim - 1)))

    def _views(self, flat: Tensor) -> list[Tensor]:
        """Each weight's numbers in its own shape."""
        matrices = [matrix for part in self.parts(flat) for matrix in part]
        return [matrix.view(weight.shape) for matrix, weight in zip(matrices, self.weights, strict=True)]


def _by_format(weights: list[Tensor]) -> list[list[Tensor]]:
    """The weights in lists of one device and number format."""
    alike: dict[tuple[Any, ...], list[Tensor]] = {}
    for weight in weights:
        alike.setdefault((weight.device, weight.dtype), []).append(weight)
    return list(alike.values())


def _by_shape(weights: list[Tensor]) -> list[list[Tensor]]:
    """The weights in lists of one matrix shape; filters apart from plain matrices."""
    alike: dict[tuple[Any, ...], list[Tensor]] = {}
    for weight in weights:
        key = (weight.shape[0], weight.numel() // weight.shape[0], weight.ndim > 2)
        alike.setdefault(key, []).append(weight)
    return list(alike.values())
