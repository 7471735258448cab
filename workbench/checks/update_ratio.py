"""How far does an update move the weights?"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from workbench.checks.base import Check, CheckObserver, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build
    from workbench.events import Trained
    from workbench.step import StepContext


class UpdateRatio(Check):
    """The length of a step's change of each layer's weights over the length of the weights; about 1e-3 is usual.

    Much more, and the network forgets faster than it learns: a warning where the loss is not below ln(classes)
    either (Muon and high rates under batch norm take large steps and do well). Much less while the learning rate is at
    its height, and it hardly moves.
    """

    name = "update_ratio"
    title = "update to weight"
    when = "during"
    rank = 20
    source = "CS231n: update to weight ratio; skorch's SkorchDoctor"

    every: int = parameter(20, ge=2, le=1_000_000, unit="steps", description="steps between two looks")
    high: float = parameter(0.1, gt=0, le=1e6, description="median over the layers that is too much")
    low: float = parameter(1e-6, ge=0, le=1, description="median over the layers that is too little")
    patience: int = parameter(3, ge=1, le=1000, unit="looks", description="looks in a row before it says so")

    def watch(self, build: Build) -> CheckObserver:
        """Weights before and after one step in ``every``."""
        return _UpdateObserver(self, build)


class _UpdateObserver(CheckObserver):
    remembers = ("high", "low", "looks", "peak")

    def __init__(self, spec: UpdateRatio, build: Build) -> None:
        from workbench.checks.layers import layer_weights

        self.spec = spec
        self.layers = layer_weights(build.model)
        self.weights = [weight for _, weight in self.layers]
        self.before: list[Tensor] = []
        self.taken = -1
        self.ratios: Tensor | None = None
        self.ignorant = math.log(max(2, len(build.dataset.classes)))
        self.high = self.low = self.looks = 0
        self.peak = 0.0

    def lacks(self) -> str:
        if not self.layers:
            return "no layer has weights of its own"
        return f"it had {self.looks} of the {self.spec.patience} looks that it needs, one in {self.spec.every} steps"

    def due(self, context: StepContext) -> bool:
        return context.step % self.spec.every == 0 or context.step == self.taken + 1

    def observe(self, context: StepContext) -> None:
        import torch

        from workbench import torch_compat

        if context.step == self.taken + 1 and self.before:
            after = [weight.detach() for weight in self.weights]
            changes = torch_compat.foreach_norm(torch_compat.foreach_sub(after, self.before), 2.0, dtype=torch.float32)
            lengths = torch_compat.foreach_norm(self.before, 2.0, dtype=torch.float32)
            self.ratios = torch.stack(changes) / torch.stack(lengths).clamp(min=1e-12)
            self.before = []
        if context.step % self.spec.every == 0:
            self.before = [weight.detach().clone() for weight in self.weights]
            self.taken = context.step

    def judge(self, trained: Trained) -> Result | None:
        self.peak = max(self.peak, trained.learning_rate)
        if self.ratios is None:
            return None
        ratios, self.ratios = self.ratios.tolist(), None
        if not ratios:
            return None
        self.looks += 1
        middle = median(ratios)
        largest = max(range(len(ratios)), key=ratios.__getitem__)
        self.high = self.high + 1 if middle > self.spec.high and not trained.loss < 0.95 * self.ignorant else 0
        at_height = trained.learning_rate > 0.5 * self.peak
        self.low = self.low + 1 if middle < self.spec.low and at_height else 0
        expected = "about 1e-3 a step"
        found = f"{middle:.1e}, most {ratios[largest]:.1e} in '{self.layers[largest][0]}'"
        if self.high >= self.spec.patience:
            reason = "each step changes the weights by so much that the loss does not fall"
            return Result("warn", expected, found, reason, "lower the learning rate, or warm up")
        if self.low >= self.spec.patience:
            reason = "each step hardly changes the weights"
            advice = "raise the learning rate (workbench check RECIPE --range-test suggests one)"
            return Result("warn", expected, found, reason, advice)
        if self.looks < self.spec.patience or self.high or self.low:
            return None
        return Result("pass", expected, found, "neither far too much nor far too little")
