"""What a training step passes along: the batch that it sees and its moment; and where its phases begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Batch(NamedTuple):
    """Some samples on their way through a step.

    images: uint8 ``[N, C, H, W]`` before normalisation, floating point after it.
    labels: int64 ``[N]``.
    indices: int64 ``[N]``, positions in the training set; with the epoch they key every random draw.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor


@dataclass(frozen=True, slots=True)
class StepContext:
    """When a step happens. ``step`` counts from 0 over the whole run and is the number of updates done before it."""

    step: int
    steps: int
    steps_per_epoch: int

    @property
    def epoch(self) -> int:
        """The epoch that this step belongs to, from 0."""
        return self.step // self.steps_per_epoch

    @property
    def epochs_done(self) -> float:
        """Epochs gone by, with the fraction of the present one."""
        return self.step / self.steps_per_epoch

    @property
    def epochs(self) -> float:
        """The length of the run in epochs."""
        return self.steps / self.steps_per_epoch

    @property
    def progress(self) -> float:
        """The share of the run that is done, 0 ≤ progress < 1."""
        return self.step / self.steps


class Repeated(Protocol):
    """Calls a function that makes an epoch's batches, or repeats what it did on the device.

    name: what it is; of one name there is one function in an epoch. It depends on its inputs and the epoch alone, and
    gives tensors on the device. Where it is repeated, they lie where those of the batch before lay, and may be written
    over as soon as any of these functions is called again.
    """

    def __call__(
        self, name: str, function: Callable[..., tuple[Tensor, ...]], epoch: int, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        """What the function gives for these inputs, all on the device."""
        ...


def as_written(
    name: str, function: Callable[..., tuple[Tensor, ...]], epoch: int, *inputs: Tensor
) -> tuple[Tensor, ...]:
    """Call the function."""
    return function(*inputs)


def nobody(phase: str) -> None:
    """What :attr:`PhaseMarks.phase` is while no step is measured."""


class PhaseMarks:
    """Where the phases of a step begin: ``marks.phase("forward")`` ends the phase before and begins this one.

    Phases are those of :data:`workbench.profiling.report.PHASES`, or "" for what belongs to none; they may come several
    times in a step. Whoever measures puts a function of its own in the place of ``phase``, from step to step; and, if a
    part of the step may be repeated from a recording, one in the place of ``repeated``: it is given the phases that
    begin there, each with the event that a repetition records in the device's stream. ``as_written``: a step that is
    measured ran as it is written though those that are not are repeated from a recording.
    """

    __slots__ = ("as_written", "phase", "repeated")

    def __init__(self) -> None:
        self.off()

    @property
    def on(self) -> bool:
        """Whether somebody measures this step."""
        return self.phase is not nobody

    def off(self) -> None:
        """Nobody measures any more."""
        self.phase: Callable[[str], None] = nobody
        self.repeated: Callable[[Sequence[tuple[str, torch.cuda.Event]]], None] | None = None
        self.as_written = False

    @contextmanager
    def instead(self, phase: Callable[[str], None]) -> Iterator[None]:
        """In the block phases begin for somebody else: what is recorded there happens later."""
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before
