"""Freezing early layers late in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder


class FreezeLayers(Technique):
    """Stop training the network's parts one after another, from the first on, once a share of the run is done.

    Early layers settle first. A frozen part needs no backward pass and no update; its norms still follow the data. The
    last part is never frozen. What is frozen changes between epochs.
    """

    name = "freeze_layers"
    group = "precision and speed"
    source = "Brock et al. 2017, FreezeOut, arXiv:1706.04983"
    tradeoff = (
        "Up to a fifth less time at the price of some accuracy, as later layers cannot move earlier ones any more."
    )

    start: float = parameter(0.5, ge=0, lt=1, description="share of the run before the first part is frozen")
    share: float = parameter(1.0, ge=0, le=1, description="share of the parts (all but the last) frozen at the end")

    def register(self, build: Builder) -> None:
        """Freeze at the start of epochs."""
        parts: list[list[nn.Parameter]] = []
        epochs = build.recipe.train.epochs

        def find(model: nn.Module, optimizer: Optimizer) -> None:
            trained = ([p for p in part.parameters() if p.requires_grad] for part in model.children())
            parts.extend(filter(None, trained))

        def freeze(epoch: int, model: nn.Module) -> None:
            count = frozen_parts(epoch / epochs, len(parts), self.start, self.share)
            for number, part in enumerate(parts):
                for weight in part:
                    weight.requires_grad_(number >= count)

        build.hooks.built.add(find)
        build.hooks.epoch_start.add(freeze)


def frozen_parts(progress: float, parts: int, start: float, share: float) -> int:
    """How many of some parts are frozen at a progress 0–1: from ``start`` on linearly more, never the last one."""
    if progress < start:
        return 0
    return min(parts - 1, round(share * (parts - 1) * (progress - start) / (1 - start)))
