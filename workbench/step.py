"""What a training step passes along: the batch that it sees and the moment at which it sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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
class Moment:
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
