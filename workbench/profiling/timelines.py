"""Clocks for the phases of a step: the host's on the CPU, the device's on CUDA."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import torch

from workbench.profiling.report import PHASES

Sample = tuple[dict[str, float], float]
"""Seconds by phase, and seconds of the whole step."""

MARKS_A_STEP = 11
"""How many clock readings a measured step takes: nine marks, begin and end."""

_NAMES: tuple[str, ...] = PHASES

RING = 16
"""Measured steps that may wait for the device at once; while so many do, further ones are left out."""


def timeline(device: torch.device) -> HostTimeline | DeviceTimeline:
    """The clock that fits a device."""
    return DeviceTimeline(device) if device.type == "cuda" else HostTimeline()


class HostTimeline:
    """Times phases by the host's clock, which on the CPU is the clock of the work itself."""

    def __init__(self) -> None:
        self._done: list[Sample] = []
        self._seconds: dict[str, float] = {}
        self._phase = ""
        self._since = 0.0

    def begin(self) -> None:
        """A step begins, waiting for data."""
        self._seconds = dict.fromkeys((*_NAMES, ""), 0.0)
        self._phase = "data wait"
        self._since = time.perf_counter()

    def phase(self, name: str) -> None:
        """A phase begins."""
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = name, now

    def repeated(self, phases: Sequence[tuple[str, torch.cuda.Event]]) -> None:
        """Nothing is recorded on the CPU."""

    def end(self, seconds: float | None) -> None:
        """The step has ended."""
        if seconds is None:
            return
        self.phase("")
        del self._seconds[""]
        self._done.append((self._seconds, seconds))

    @property
    def ready(self) -> bool:
        """Always: a step is known as soon as it has ended."""
        return True

    def collect(self) -> list[Sample]:
        """The steps that ended."""
        done, self._done = self._done, []
        return done


class DeviceTimeline:
    """Times phases on the device's own timeline: an event in its stream at every mark, read some steps later.

    Nothing waits. A phase lasts from the moment at which the device reaches its event to that at which it reaches the
    next one; so the host's wait for data counts only where the device had nothing left to do. A part of a step that is
    repeated from a recording brings events of its own, which the next repetition records anew: a step before, whose
    times were not known until then, is left out.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device)
        self._free: list[torch.cuda.Event] = []
        self._lent: set[torch.cuda.Event] = set()
        self._marks: list[tuple[str, torch.cuda.Event]] = []
        self._waiting: deque[list[tuple[str, torch.cuda.Event]]] = deque()

    def begin(self) -> None:
        """A step begins, waiting for data."""
        self._marks = []
        self.phase("data wait")

    def phase(self, name: str) -> None:
        """A phase begins."""
        event = self._free.pop() if self._free else torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(self._stream)
        self._marks.append((name, event))

    def repeated(self, phases: Sequence[tuple[str, torch.cuda.Event]]) -> None:
        """Phases have begun in a recording that was repeated, each at its event."""
        events = {event for _, event in phases}
        self._lent |= events
        for marks in [marks for marks in self._waiting if not events.isdisjoint(event for _, event in marks)]:
            self._waiting.remove(marks)
            self._give_back(marks)
        self._marks += phases

    def end(self, seconds: float | None) -> None:
        """The step has ended; its duration is taken from the device, not from the host, which runs ahead of it."""
        self.phase("")
        if seconds is None or len(self._waiting) >= RING:
            self._give_back(self._marks)
        else:
            self._waiting.append(self._marks)
        self._marks = []

    @property
    def ready(self) -> bool:
        """Whether no step waits for its times that has events of a recording: its next repetition would lose them."""
        return not any(event in self._lent for marks in self._waiting for _, event in marks)

    def collect(self) -> list[Sample]:
        """The steps whose last event the device has passed."""
        done: list[Sample] = []
        while self._waiting and self._waiting[0][-1][1].query():  # type: ignore[no-untyped-call]
            marks = self._waiting.popleft()
            seconds = dict.fromkeys(_NAMES, 0.0)
            total = 0.0
            for (phase, event), (_, following) in pairwise(marks):
                elapsed = event.elapsed_time(following) / 1000
                total += elapsed
                if phase:
                    seconds[phase] += elapsed
            done.append((seconds, total))
            self._give_back(marks)
        return done

    def _give_back(self, marks: Sequence[tuple[str, torch.cuda.Event]]) -> None:
        self._free += [event for _, event in marks if event not in self._lent]
