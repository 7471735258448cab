"""Exponential moving average of the weights."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder
    from workbench.step import StepContext


class EMA(Technique):
    """Evaluate with an exponential moving average of the weights: the noise of single steps averages out.

    The norms' running statistics are averaged along with them. Training goes on with its own weights, which are also
    what the run ends with; the average is in the checkpoint. Before ``start`` the average is the weights themselves.
    With a decay d it remembers about 1 / (1 − d) steps; the warm-up keeps it from clinging to the first weights.
    """

    name = "ema"
    group = "averaging"
    source = (
        "Polyak and Juditsky 1992; Szegedy et al. 2016, arXiv:1512.00567; warm-up: tf.train.ExponentialMovingAverage"
    )
    tradeoff = "Better results while the learning rate is high; after a decay to zero there is little left to gain."

    decay: float = parameter(0.999, ge=0, lt=1, description="share of the average that stays, for each training step")
    every: int = parameter(
        1, ge=1, le=1_000_000, unit="steps", description="steps between updates; the decay is taken to this power"
    )
    start: float = parameter(0.0, ge=0, lt=1, description="share of the run before averaging begins")
    warmup: bool = parameter(True, description="begin with the decay (1 + t) / (10 + t) after t steps, if it is less")

    def register(self, build: Builder) -> None:
        """Follow the weights and evaluate with their average."""
        from workbench.optimizers.averages import Average

        average = Average()

        def follow(model: nn.Module, optimizer: Optimizer) -> None:
            average.follow(averaged_tensors(model))

        def move(context: StepContext, skip: Tensor) -> None:
            weight = self.weight(context)
            if weight > 0:
                average.move(weight, skip)

        def swapped_in(model: nn.Module) -> AbstractContextManager[None]:
            return average.swapped_in(averaged_tensors(model))

        build.hooks.built.add(follow)
        build.hooks.after_step.add(move, rank=20)
        build.hooks.evaluation_weights.add(swapped_in)
        build.save_in_checkpoints("ema", average)

    def weight(self, context: StepContext) -> float:
        """The present weights' share in the average after this step, 0–1; 0 leaves the average as it is."""
        return 1 - average_decay(context, self.decay, self.every, self.start, warmup=self.warmup)


def average_decay(context: StepContext, decay: float, every: int, start: float, *, warmup: bool = False) -> float:
    """What the average keeps of itself in the update after a step, 0–1: 1 where none is due, 0 before ``start``.

    ``decay`` holds for one step, an update covers ``every``. ``warmup``: min(decay, (1 + t) / (10 + t)), t being the
    steps averaged so far; ones that were masked count.
    """
    steps = context.step + 1 - math.ceil(start * context.steps)
    if steps <= 0:
        return 0.0
    if steps % every:
        return 1.0
    if warmup:
        decay = min(decay, (1 + steps - every) / (10 + steps - every))
    return float(decay**every)


def averaged_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A model's parameters and floating-point buffers (the norms' running statistics) by name."""
    buffers = {name: buffer for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    return {**dict(model.named_parameters()), **buffers}
