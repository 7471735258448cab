"""What changes while a build is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from workbench.engine.build import Build
from workbench.engine.guard import Guard
from workbench.engine.meter import Clock, Meter, settle
from workbench.out_of_memory import out_of_memory
from workbench.recipe.execution import Execution
from workbench.step import PhaseMarks, StepContext

T = TypeVar("T")


def no_room() -> bool:
    """What :attr:`TrainState.make_room` is where nothing holds memory that the training can do without."""
    return False


@dataclass
class TrainState:
    """One training of a build. Its weights and the optimizer's state are the build's own.

    step: updates done. execution: how steps are executed; another one than the build's from where that turns out to be
    impossible. best: the highest validation accuracy so far, 0–1. over: it ends before its last step. notes: sentences
    to be said between this step and the next. phases: hears where the parts of a step begin. rates_on_device: learning
    rates are tensors there, which a recorded step reads anew each time it is repeated. updating: the present step has
    its gradients and changes weights: it cannot be done again from its beginning. make_room: frees memory that the
    training can do without, if there is any; whether there was.
    """

    build: Build
    step: int
    execution: Execution
    guard: Guard
    meter: Meter
    clock: Clock = field(default_factory=Clock)
    phases: PhaseMarks = field(default_factory=PhaseMarks)
    best: float | None = None
    over: bool = False
    notes: list[str] = field(default_factory=list)
    rates_on_device: bool = False
    updating: bool = False
    make_room: Callable[[], bool] = no_room
    looked_at: Callable[[StepContext], bool] = lambda context: False

    @classmethod
    def of(cls, build: Build) -> TrainState:
        """Before the first step."""
        guard = Guard(build.model, build.device, scaled=build.precision.scaled)
        return cls(build, 0, build.execution, guard, Meter(build.device, counts_correct=not build.mixes_targets))

    @property
    def context(self) -> StepContext:
        """When the present step happens."""
        return self.build.context(self.step)

    @property
    def epoch(self) -> float:
        """Epochs done, with the fraction of the present one."""
        return self.step / self.build.steps_per_epoch

    def note(self, message: str) -> None:
        """Have a sentence said between this step and the next."""
        self.notes.append(message)

    def settle(self) -> None:
        """Wait until the device has done all that it was asked for."""
        settle(self.build.device)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """The training time stands still in it, once the device has done all that it was asked for."""
        self.settle()
        with self.clock.standing_still():
            yield

    def with_room(self, compute: Callable[[], T]) -> T:
        """What is computed; where memory is too small for it, it is tried again after :attr:`make_room`."""
        try:
            return compute()
        except Exception as error:
            if not out_of_memory(error) or not self.make_room():
                raise
        return compute()

    def set_learning_rates(self, context: StepContext) -> None:
        """Scale the rate of every parameter group for this step."""
        build, factor = self.build, float(self.build.schedule(context))
        for group, base in zip(build.optimizer.param_groups, build.base_rates, strict=True):
            rate = base * factor
            if build.device.type == "cuda":  # as a tensor holds it, so that steps are the same recorded or not
                rate = _in_32_bits(rate)
            if not self.rates_on_device:
                group["lr"] = rate
            elif isinstance(group["lr"], Tensor) and group["lr"].device == build.device:
                group["lr"].fill_(rate)
            else:
                group["lr"] = torch.full((), rate, device=build.device)


def _in_32_bits(x: float) -> float:
    return float(torch.tensor(x, dtype=torch.float32))
