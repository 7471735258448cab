"""How fast something goes: windows of steps, with what the calling thread did meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import ClassVar

import torch

from workbench.engine.build import Build
from workbench.events import Event
from workbench.profiling.processor import ThreadTime
from workbench.profiling.report import Throughput

FEWEST_STEPS = 2
"""A window has at least this many steps."""

PATIENCE = 3.0
"""Steps before a window take at most so many times its seconds, or one step; so does a window that is disturbed."""

LOOK = 0.05
"""A window asks who had the processor at most once in this share of its seconds."""

WARM_UP = 3
"""Steps before the first window: memory is taken, kernels are chosen."""


@dataclass(frozen=True, kw_only=True)
class ThroughputMeasured(Event):
    """A window is over; said only to who measures, never written.

    asleep, queued, crowded: see :class:`workbench.profiling.processor.Shares`.
    """

    kind: ClassVar[str] = "throughput_measured"
    images: int
    steps: int
    seconds: float
    idle_share: float
    runqueue_share: float = 0.0
    crowded: float = 0.0

    @property
    def images_per_second(self) -> float:
        """The window's throughput."""
        return self.images / self.seconds

    @property
    def undisturbed(self) -> float:
        """Images per second of the time in which other programs left the thread a processor."""
        return self.images_per_second / max(1e-3, 1 - self.runqueue_share)

    @property
    def disturbed(self) -> float:
        """The share of the time in which other programs kept the thread or its workers from a processor, 0–1."""
        return max(self.runqueue_share, self.crowded)


def throughput(windows: Sequence[float]) -> Throughput:
    """The median and the extremes of some windows' images per second."""
    return Throughput(median(windows), min(windows), max(windows), len(windows))


class Window:
    """Counts steps and images for so many seconds, after some steps that do not count.

    Seconds in which the calling thread was kept from a processor do not count: on a busy machine a window lasts longer.
    workers: gives the process ids of those that make its batches.
    """

    def __init__(
        self, device: torch.device, seconds: float, settle: int, workers: Callable[[], Sequence[int]] = tuple
    ) -> None:
        self._device = device
        self._seconds = seconds
        self._settle = settle
        self._workers = workers
        self._warm_up = WARM_UP
        self._due = 0.0

    def start(self) -> None:
        """Begin anew."""
        self._left, self._warm_up = self._settle + self._warm_up, 0
        self._images = self._steps = 0
        self._started = time.perf_counter()
        if not self._left:
            self._begin()

    def count(self, images: int) -> bool:
        """A step with so many images is done; True: the window is over."""
        if self._left:
            self._left -= 1
            if not self._left or time.perf_counter() - self._started > PATIENCE * self._seconds:
                self._left = 0
                self._begin()
            return False
        self._images += images
        self._steps += 1
        now = time.perf_counter()
        if self._steps < FEWEST_STEPS or now < self._due:
            return False
        missing, last = self._seconds - self._thread.undisturbed(), self._began + PATIENCE * self._seconds
        self._due = min(now + max(missing, LOOK * self._seconds), last)
        return missing <= 0 or now >= last

    def result(self) -> ThroughputMeasured:
        """What was counted; waits until the device has done it."""
        synchronize(self._device)
        seconds = time.perf_counter() - self._began
        shares = asdict(self._thread.shares())
        return ThroughputMeasured(images=self._images, steps=self._steps, seconds=seconds, **shares)

    def _begin(self) -> None:
        synchronize(self._device)
        self._thread = ThreadTime(self._workers())
        self._began = time.perf_counter()
        self._due = self._began + self._seconds


class StepThroughput:
    """An instrument: says the throughput of a window of steps to who drives the training, which then may rest."""

    def __init__(self, build: Build, window: Window) -> None:
        self._build = build
        self._window = window

    def start(self) -> None:
        """Begin a window."""
        self._window.start()

    def after_step(self, step: int) -> bool:
        """Count a step."""
        return self._window.count(self._build.pipeline.batch_size_of((step - 1) % self._build.steps_per_epoch))

    def finish(self, folder: Path) -> Iterator[Event]:
        """Say the throughput."""
        yield self._window.result()


def synchronize(device: torch.device) -> None:
    """Wait for a device; only ever between windows, on a copy."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
