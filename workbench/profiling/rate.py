"""How fast something goes: windows of steps, with what the calling thread and the processes did meanwhile."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import ClassVar

import torch

from workbench.engine.build import Build
from workbench.events import Event
from workbench.profiling.report import Process, Rate

FEWEST_STEPS = 2
"""A window has at least this many steps."""

PATIENCE = 3.0
"""Steps before a window take at most so many times its seconds, or one step."""

WARM_UP = 3
"""Steps before the first window: memory is taken, kernels are chosen."""


@dataclass(frozen=True, kw_only=True)
class RateMeasured(Event):
    """A window is over; said only to who measures, never written. asleep, queued: see :class:`ThreadTime`."""

    kind: ClassVar[str] = "rate_measured"
    images: int
    steps: int
    seconds: float
    asleep: float
    queued: float = 0.0

    @property
    def images_per_second(self) -> float:
        """The window's rate."""
        return self.images / self.seconds

    @property
    def undisturbed(self) -> float:
        """Images per second of the time in which other programs left this one a processor."""
        return self.images_per_second / max(1e-3, 1 - self.queued)


def rate(windows: Sequence[float]) -> Rate:
    """The median and the extremes of some windows' images per second."""
    return Rate(median(windows), min(windows), max(windows), len(windows))


class ThreadTime:
    """How long the calling thread slept, and how long it was queued: waited for a processor that others use.

    The kernel tells the two apart (``/proc/thread-self/schedstat``, on Linux); elsewhere waiting counts as sleep.
    """

    def __init__(self) -> None:
        self._began, self._before = time.perf_counter(), _worked_and_queued()

    def shares(self) -> tuple[float, float]:
        """Asleep and queued, each as a share of the time since this was made, 0–1."""
        whole = time.perf_counter() - self._began
        worked, queued = (now - before for now, before in zip(_worked_and_queued(), self._before, strict=True))
        return (max(0.0, 1 - (worked + queued) / whole), min(1.0, queued / whole)) if whole > 0 else (0.0, 0.0)


def _worked_and_queued() -> tuple[float, float]:
    """Seconds of the calling thread so far."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        worked, queued = Path("/proc/thread-self/schedstat").read_text().split()[:2]
        return int(worked) / 1e9, int(queued) / 1e9
    return time.thread_time(), 0.0


class Window:
    """Counts steps and images for so many seconds, after some steps that do not count."""

    def __init__(self, device: torch.device, seconds: float, settle: int) -> None:
        self._device = device
        self._seconds = seconds
        self._settle = settle
        self._warm_up = WARM_UP

    def start(self) -> None:
        """Begin anew."""
        self._left, self._warm_up = self._settle + self._warm_up, 0
        self._images = self._steps = 0
        self._started = time.perf_counter()
        if not self._left:
            self._begin()

    def step(self, images: int) -> bool:
        """A step with so many images is done; True: the window is over."""
        if self._left:
            self._left -= 1
            if not self._left or time.perf_counter() - self._started > PATIENCE * self._seconds:
                self._left = 0
                self._begin()
            return False
        self._images += images
        self._steps += 1
        return self._steps >= FEWEST_STEPS and time.perf_counter() - self._began >= self._seconds

    def result(self) -> RateMeasured:
        """What was counted; waits until the device has done it."""
        synchronize(self._device)
        seconds = time.perf_counter() - self._began
        asleep, queued = self._thread.shares()
        return RateMeasured(images=self._images, steps=self._steps, seconds=seconds, asleep=asleep, queued=queued)

    def _begin(self) -> None:
        synchronize(self._device)
        self._thread = ThreadTime()
        self._began = time.perf_counter()


class StepRate:
    """An instrument: the rate of a window of training steps, said to who drives the training, which then may rest."""

    def __init__(self, build: Build, window: Window) -> None:
        self._build = build
        self._window = window

    def start(self) -> None:
        """Begin a window."""
        self._window.start()

    def step(self, step: int) -> bool:
        """Count a step."""
        return self._window.step(self._build.pipeline.batch_size_of((step - 1) % self._build.steps_per_epoch))

    def finish(self, folder: Path) -> Iterator[Event]:
        """Say the rate."""
        yield self._window.result()


class Processes:
    """CPU use of this process and its workers between two moments, in cores."""

    def __init__(self, workers: Sequence[int]) -> None:
        self._pids = {os.getpid(): "training"} | {pid: f"worker {i}" for i, pid in enumerate(workers)}
        self._before = {pid: _cpu_seconds(pid) for pid in self._pids}
        self._began = time.perf_counter()

    def seconds(self) -> float:
        """CPU seconds of all of them so far."""
        return sum(_cpu_seconds(pid) - before for pid, before in self._before.items())

    def cores(self) -> float:
        """How many cores all of them kept busy."""
        return self.seconds() / (time.perf_counter() - self._began)

    def found(self) -> list[Process]:
        """Each process, the workers' shared pages counted for each; those that are gone left out."""
        import psutil

        elapsed = time.perf_counter() - self._began
        found = []
        for pid, name in self._pids.items():
            with contextlib.suppress(psutil.Error):
                cores = (_cpu_seconds(pid) - self._before[pid]) / elapsed
                found.append(Process(name, pid, max(0.0, cores), int(psutil.Process(pid).memory_info().rss)))
        return found


def _cpu_seconds(pid: int) -> float:
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def synchronize(device: torch.device) -> None:
    """Wait for a device; only ever between windows, on a copy."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
