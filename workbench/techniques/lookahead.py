"""Lookahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder
    from workbench.step import StepContext


class Lookahead(Technique):
    """Every few steps, go back part of the way: slow weights follow the trained ones, which go on from there.

    Every k steps: slow ← slow + α (fast − slow), fast ← slow. It damps oscillations, so higher learning rates work.
    The optimizer's momentum is kept. Norms' running statistics are not touched, frozen layers neither. The run ends
    with the slow weights, brought up to date once more if its last step is no k-th.
    """

    name = "lookahead"
    group = "averaging"
    source = "Zhang et al. 2019, arXiv:1907.08610"
    tradeoff = "One more copy of the weights; progress per step is slower by about the factor α."

    every: int = parameter(
        5, ge=1, le=1_000_000, unit="steps", description="steps of the fast weights between syncs, k"
    )
    alpha: float = parameter(0.5, gt=0, le=1, description="share of the way that the slow weights go, α")

    def register(self, build: Builder) -> None:
        """Sync after every k-th step, and at the end; averages come after it."""
        from workbench.optimizers.averages import Average

        slow = Average()
        ahead = 0

        def follow(model: nn.Module, optimizer: Optimizer) -> None:
            slow.follow(dict(model.named_parameters()))

        def sync(skip: Tensor | None = None) -> None:
            slow.move(self.alpha, skip)
            slow.put(skip, frozen=False)

        def after_step(context: StepContext, skip: Tensor) -> None:
            nonlocal ahead
            ahead = (context.step + 1) % self.every
            if ahead == 0:
                sync(skip)

        def finish(images: Callable[[], Iterator[Tensor]]) -> None:
            nonlocal ahead
            if ahead:
                sync()
            ahead = 0

        build.hooks.built.add(follow)
        build.hooks.after_step.add(after_step, rank=10)
        build.hooks.finish.add(finish, rank=10)
        build.save_in_checkpoints("lookahead", slow)
