"""The samples of the machine as columns, in bounded memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

from workbench.runs.machine import Sample

MOST = 65_536
"""Samples that are kept at most; beyond, neighbours become their mean."""

FIGURES = ("cpu", "memory", "gpu", "gpu_memory")


class MachineView:
    """Times (seconds since 1970) and figures; nan where a sample does not tell. ``known``: figures that any told.

    newest: the newest sample; None before the first.
    """

    def __init__(self) -> None:
        self.times: array[float] = array("d")
        self.figures: dict[str, array[float]] = {name: array("d") for name in FIGURES}
        self.known: set[str] = set()
        self.gpu_memory_total = 0
        self.newest: Sample | None = None
        self._group = 1
        self._pending: list[Sample] = []
        self._withdrawn: list[tuple[float, float]] = []

    def add(self, sample: Sample) -> None:
        """Take the next sample; one from a time that was withdrawn does not count."""
        if any(start < sample.time < end for start, end in self._withdrawn):
            return
        self.gpu_memory_total = sample.gpu_memory_total or self.gpu_memory_total
        self.newest = sample
        self._pending.append(sample)
        if len(self._pending) < self._group:
            return
        self.times.append(sum(s.time for s in self._pending) / self._group)
        for name, column in self.figures.items():
            told = [float(v) for s in self._pending if (v := getattr(s, name)) is not None]
            column.append(sum(told) / len(told) if told else math.nan)
            if told:
                self.known.add(name)
        self._pending = []
        if len(self.times) >= MOST:
            self._halve()

    def withdraw(self, start: float, end: float) -> None:
        """A run went on at ``end`` from what it was at ``start``: what lies between happened in vain."""
        self._withdrawn.append((start, end))

    def _halve(self) -> None:
        self._group *= 2
        for column in (self.times, *self.figures.values()):
            column[:] = array("d", map(_mean, column[0::2], column[1::2]))

    def steps(self, times: Sequence[float], steps: Sequence[float], begun: float) -> Any:
        """The step of each sample as a NumPy array, from the times and steps of a run's events."""
        import numpy as np

        known = np.concatenate(([begun], np.asarray(times)))
        return np.interp(np.asarray(self.times), known, np.concatenate(([0.0], np.asarray(steps))))


def _mean(a: float, b: float) -> float:
    return a if math.isnan(b) else b if math.isnan(a) else (a + b) / 2
