"""Does every layer get a gradient, and does it stay in bounds?"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from workbench.checks.base import Check, CheckObserver, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build
    from workbench.events import Trained
    from workbench.step import StepContext

USUAL = 5
"""Looks from which on there is a usual length."""


class GradientNorm(Check):
    """The L2 norm of each layer's gradient, as the optimizer gets it.

    A layer whose gradient is exactly 0 time after time is cut off from the loss and never learns. A gradient that is
    suddenly many times longer than usual throws the weights far off.
    """

    name = "gradient_norm"
    title = "gradient norm"
    when = "during"
    rank = 10

    every: int = parameter(20, ge=1, le=1_000_000, unit="steps", description="steps between two looks")
    patience: int = parameter(3, ge=1, le=1000, unit="looks", description="looks in a row before a layer is cut off")
    explosion: float = parameter(100.0, gt=1, le=1e9, description="times the median of the last looks that is too long")

    def watch(self, build: Build) -> CheckObserver:
        """Look at every layer's weights; those that are frozen meanwhile do not count."""
        return _GradientObserver(self, build)


class _GradientObserver(CheckObserver):
    remembers = ("silent", "totals", "looks", "worst")

    def __init__(self, spec: GradientNorm, build: Build) -> None:
        from workbench.checks.layers import layer_weights

        self.spec = spec
        self.layers = layer_weights(build.model)
        self.norms: Tensor | None = None
        self.frozen: list[bool] = []
        self.silent = dict.fromkeys((name for name, _ in self.layers), 0)
        self.totals: deque[float] = deque(maxlen=20)
        self.looks = 0
        self.worst = ""

    def lacks(self) -> str:
        if not self.layers:
            return "no layer has weights of its own"
        needed = max(self.spec.patience, USUAL + 1)
        return f"it had {self.looks} of the {needed} looks that it needs, one in {self.spec.every} steps"

    def due(self, context: StepContext) -> bool:
        return context.step % self.spec.every == 0

    def observe(self, context: StepContext) -> None:
        if context.step % self.spec.every:
            return
        import torch

        from workbench import torch_compat

        zero = torch.zeros((), device=self.layers[0][1].device) if self.layers else None
        gradients = [zero if weight.grad is None else weight.grad for _, weight in self.layers]
        self.frozen = [not weight.requires_grad for _, weight in self.layers]
        if gradients:
            norms = torch.stack(torch_compat.foreach_norm(gradients, 2.0, dtype=torch.float32))  # type: ignore[arg-type]
            self.norms = norms if self.norms is None else torch.maximum(self.norms, norms)

    def judge(self, trained: Trained) -> Result | None:
        if self.norms is None:
            return None
        norms, self.norms = self.norms.tolist(), None
        self.looks += 1
        for (name, _), norm, frozen in zip(self.layers, norms, self.frozen, strict=True):
            self.silent[name] = self.silent[name] + 1 if norm == 0 and not frozen else 0
        total = math.sqrt(sum(norm * norm for norm in norms))
        usual = median(self.totals) if len(self.totals) >= USUAL else math.inf
        self.totals.append(total)
        expected, found = "every layer's above 0, none exploding", f"{total:.3g} in all, usually {usual:.3g}"
        cut = [name for name, count in self.silent.items() if count >= self.spec.patience]
        if total > self.spec.explosion * usual > 0:
            self.worst = f"{total:.3g} at step {trained.step:,}, usually {usual:.3g}"
        if cut:
            reason = f"no gradient reaches '{cut[0]}'" + (f" and {len(cut) - 1} more layers" if len(cut) > 1 else "")
            advice = "look for a detach, a dead activation or an unused layer between it and the loss"
            return Result("fail", expected, f"0 in {len(cut)} of {len(self.layers)} layers", reason, advice)
        if self.worst:
            reason = "the gradient was suddenly many times longer than usual"
            advice = "clip gradients (gradient_clipping), warm up, or lower the learning rate"
            return Result("warn", expected, self.worst, reason, advice)
        if self.looks < self.spec.patience or usual == math.inf:
            return None
        return Result("pass", expected, found, "a gradient reaches every layer, and none is thrown far off")
