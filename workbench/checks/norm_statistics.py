"""Are the running statistics of the batch norms in range?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.checks.base import Check, CheckObserver, Result
from workbench.format import percent
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build
    from workbench.events import Trained


class NormStatistics(Check):
    """Running means and variances of the batch norms, which evaluation relies on.

    A variance far below the norm's eps belongs to a channel that says nothing and comes out as noise or 0; huge ones
    to activations that grow without bound, or to input that is not normalised.
    """

    name = "norm_statistics"
    title = "norm statistics"
    when = "during"
    rank = 40

    every: int = parameter(100, ge=1, le=1_000_000, unit="steps", description="steps between two looks, at least")
    silent: float = parameter(0.5, gt=0, le=1, description="share of a norm's channels with less than a tenth of eps")
    huge: float = parameter(1e6, gt=0, le=1e30, description="largest variance, and square of the largest mean")

    def watch(self, build: Build) -> CheckObserver | None:
        """Nothing to watch without norms that keep statistics."""
        from workbench import torch_compat

        norms = [
            (name, module)
            for name, module in build.model.named_modules()
            if isinstance(module, torch_compat.NORM) and module.running_var is not None
        ]
        return _NormObserver(self, norms) if norms else None


class _NormObserver(CheckObserver):
    def __init__(self, spec: NormStatistics, norms: list[tuple[str, Any]]) -> None:
        self.spec = spec
        self.norms = norms
        self.asked = 0

    def lacks(self) -> str:
        return f"it looks every {self.spec.every} steps, and the run had fewer"

    def judge(self, trained: Trained) -> Result | None:
        if trained.step - self.asked < self.spec.every:
            return None
        self.asked = trained.step
        import torch

        rows = []
        for _, norm in self.norms:
            mean, variance = norm.running_mean.float(), norm.running_var.float()
            silent = (variance < 0.1 * norm.eps).float().mean()
            rows.append(torch.stack((silent, torch.maximum(variance.max(), mean.abs().max() ** 2))))
        shares, sizes = torch.stack(rows).T.tolist()
        quiet = max(range(len(shares)), key=shares.__getitem__)
        large = max(range(len(sizes)), key=sizes.__getitem__)
        expected = f"variances above the norms' eps, below {self.spec.huge:.0e}"
        found = f"largest {sizes[large]:.2g}, {percent(shares[quiet], 0)} silent channels at most"
        if not sizes[large] <= self.spec.huge:
            reason = f"the activations before '{self.norms[large][0]}' have grown out of bounds"
            return Result("warn", expected, found, reason, "lower the learning rate; see data.normalise")
        if shares[quiet] >= self.spec.silent:
            reason = f"{percent(shares[quiet], 0)} of the channels before '{self.norms[quiet][0]}' say nothing"
            return Result("warn", expected, found, reason, "lower the weight decay or the learning rate")
        return Result("pass", expected, found, "evaluation can rely on them")
