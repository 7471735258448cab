"""Are there ReLU units that never fire?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.checks.base import Check, CheckObserver, Result
from workbench.format import percent
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workbench.engine.build import Build
    from workbench.events import Trained
    from workbench.step import StepContext


class DeadUnits(Check):
    """The share of each ReLU's units that were 0 for every image of several batches; they learn no more.

    A unit is a channel of a convolution, or one output of a fully connected layer. Seen through hooks that are there
    for one step only.
    """

    name = "dead_units"
    title = "dead ReLUs"
    when = "during"
    rank = 30
    source = "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733"

    every: int = parameter(50, ge=2, le=1_000_000, unit="steps", description="steps between two looks")
    looks: int = parameter(3, ge=1, le=1000, unit="looks", description="batches for which a dead unit is silent")
    share: float = parameter(0.5, gt=0, le=1, description="share of a layer's units from which on it is told")

    def watch(self, build: Build) -> CheckObserver | None:
        """Nothing to watch in a network without ReLUs."""
        from torch import nn

        kinds = (nn.ReLU, nn.ReLU6)
        modules = [(name, module) for name, module in build.model.named_modules() if isinstance(module, kinds)]
        return _DeadObserver(self, modules) if modules else None


class _DeadObserver(CheckObserver):
    def __init__(self, spec: DeadUnits, modules: Sequence[tuple[str, nn.Module]]) -> None:
        self.spec = spec
        self.modules = modules
        self.alive: dict[str, Tensor] = {}
        self.taken = 0
        self._hooks: list[Any] = []

    def lacks(self) -> str:
        return f"it had {self.taken} of the {self.spec.looks} looks that it needs, one in {self.spec.every} steps"

    def due(self, context: StepContext) -> bool:
        return (context.step + 1) % self.spec.every == 0 or bool(self._hooks)

    def observe(self, context: StepContext) -> None:
        if self._hooks:
            for hook in self._hooks:
                hook.remove()
            self._hooks = []
            self.taken += 1
        if (context.step + 1) % self.spec.every == 0:
            self._hooks = [module.register_forward_hook(self._see(name)) for name, module in self.modules]

    def _see(self, name: str) -> Any:
        def see(module: nn.Module, inputs: object, output: Tensor) -> None:
            if not module.training:
                return
            fires = output.detach().amax(dim=[0, *range(2, output.ndim)]) > 0
            self.alive[name] = self.alive[name] | fires if name in self.alive else fires

        return see

    def judge(self, trained: Trained) -> Result | None:
        if self.taken < self.spec.looks or not self.alive:
            return None
        import torch

        names, sizes = list(self.alive), [len(units) for units in self.alive.values()]
        fires = torch.cat(list(self.alive.values())).tolist()
        self.alive, self.taken = {}, 0
        shares, start = [], 0
        for size in sizes:
            shares.append(1 - sum(fires[start : start + size]) / size)
            start += size
        worst = max(range(len(names)), key=shares.__getitem__)
        dead = len(fires) - sum(fires)
        expected = f"less than {percent(self.spec.share, 0)} of a layer"
        found = f"{dead:,} of {len(fires):,} units"
        if shares[worst] >= self.spec.share:
            reason = f"{percent(shares[worst], 0)} of the units of '{names[worst]}' are 0 for every image"
            advice = "lower the learning rate, warm up, put norms before the ReLUs, or take another activation"
            return Result("warn", expected, found, reason, advice)
        return Result("pass", expected, found, "the units take part in what is learned")
