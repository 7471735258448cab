"""Stochastic weight averaging."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext


class SWA(Technique):
    """End the run with the equal average of the weights at the ends of its last epochs: a flatter minimum.

    It needs a learning rate that stays high enough for the weights to move, a constant one say; the schedule sets it.
    At the end the average is put into the network and the batch norms' statistics are measured anew over one epoch of
    training images, in the format of the weights. Evaluations before that see the trained weights.
    """

    name = "swa"
    group = "averaging"
    source = "Izmailov et al. 2018, arXiv:1803.05407"
    tradeoff = "One more pass over the training images; gains little where the learning rate falls to zero."
    excludes: ClassVar[dict[str, str]] = {
        "ema": "the last evaluation would be of ema's average, so that swa's would never be seen"
    }

    start: float = parameter(0.75, ge=0, lt=1, description="share of the run before averaging begins")
    every: int = parameter(1, ge=1, le=100_000, unit="epochs", description="epochs between the weights averaged")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """An epoch must end after the start."""
        epochs = recipe.train.epochs
        if first_end(self.start, epochs) > epochs:
            yield "start", f"no epoch of {epochs:g} ends after {self.start:g} of the run, so nothing would be averaged"

    def register(self, build: Builder) -> None:
        """Gather weights at the ends of epochs; average them at the end of the run."""
        swa = _EqualAverage(build.device)

        def gather(context: StepContext, skip: Tensor) -> None:
            if self.gathers(context):
                swa.gather(skip)

        build.hooks.built.add(swa.follow)
        build.hooks.after_step.add(gather, rank=20)
        build.hooks.finish.add(swa.finish, rank=20)
        build.save_in_checkpoints("swa", swa)

    def why_not_longer(self, done: StepContext) -> str:
        """An average that has begun is of the end of a shorter run, and at its end takes the weights' place."""
        begun = first_end(self.start, done.epochs)
        if done.step < begun * done.steps_per_epoch:
            return ""
        return f"swa averages its weights from epoch {begun} on, as those of its end"

    def gathers(self, context: StepContext) -> bool:
        """Whether the weights after this step go into the average."""
        ended, within = divmod(context.step + 1, context.steps_per_epoch)
        after = ended - first_end(self.start, context.epochs)
        return within == 0 and after >= 0 and after % self.every == 0


def first_end(start: float, epochs: float) -> int:
    """The first epoch, counted from 1, that ends when a share ``start`` of the run is done."""
    return max(1, math.ceil(start * epochs - 1e-9))


class _EqualAverage:
    """The equal average of a model's parameters, and how many states of the model are in it."""

    def __init__(self, device: torch.device) -> None:
        import torch

        from workbench.optimizers.averages import Average

        self._average = Average()
        self._count = torch.zeros((), device=device)

    def follow(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._model = model
        self._average.follow(dict(model.named_parameters()))

    def gather(self, skip: Tensor) -> None:
        self._average.move(1 / (self._count + 1), skip)
        self._count += 1 - skip

    def finish(self, images: Callable[[], Iterator[Tensor]]) -> None:
        if int(self._count) == 0:
            return
        self._average.put(frozen=True)
        measure_statistics(self._model, images())

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average.state_dict(), "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state["average"])
        self._count.copy_(state["count"])


def measure_statistics(model: nn.Module, images: Iterable[Tensor]) -> None:
    """Set every batch norm's running statistics to their mean over batches of float images ``[N, C, H, W]``.

    The model runs in train mode on images in the format of its first weights; modes and momenta are put back.
    """
    import torch

    from workbench import torch_compat

    norms = [m for m in model.modules() if isinstance(m, torch_compat.BATCH_NORM) and m.running_mean is not None]
    if not norms:
        return
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    dtype = next(model.parameters()).dtype
    try:
        model.train()
        for norm in norms:
            norm.reset_running_stats()
        with torch.no_grad():
            for number, batch in enumerate(images, start=1):
                for norm in norms:
                    norm.momentum = 1 / number
                model(batch.to(dtype))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
