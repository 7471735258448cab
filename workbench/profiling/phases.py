"""Where the time of a training's steps goes, measured while it trains: one step in some, nothing in the others."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from workbench.events import Event, PhasesMeasured, to_json
from workbench.profiling.report import PHASES
from workbench.storage.digest import seal

if TYPE_CHECKING:
    import torch

    from workbench.engine.meter import Clock
    from workbench.step import PhaseMarks

WARM_UP = 3
"""Steps that are left out after measuring began."""

WINDOW_SECONDS = 2.0
ENOUGH = 4
"""A window has at least this many measured steps and this many seconds."""

MEASURED_A_SECOND = 50.0
"""Steps measured in a second, about: of slow steps all, of fast ones one in :func:`every`."""

MOST = 32
"""At least one step in this many is measured."""


def every(step_seconds: float) -> int:
    """One step in how many to measure, a power of two, so that about :data:`MEASURED_A_SECOND` are."""
    wanted = 1 / (MEASURED_A_SECOND * max(step_seconds, 1e-9))
    return 1 if wanted <= 1 else min(MOST, 2 ** math.ceil(math.log2(wanted)))


def chosen(step: int, every: int) -> bool:
    """Whether a step is measured: one of each ``every``, anywhere among them.

    So what happens every tenth step, say, is met as often as it happens.
    """
    block, place = divmod(step, every)
    return place == (crc32(block.to_bytes(8)) >> 8) % every


class Timeline(Protocol):
    """Times the phases of one measured step after the other."""

    def begin(self) -> None:
        """A step begins, waiting for data."""
        ...

    def phase(self, name: str) -> None:
        """A phase begins."""
        ...

    def repeated(self, phases: Sequence[tuple[str, torch.cuda.Event]]) -> None:
        """Phases have begun in a recording that was repeated, each at its event."""
        ...

    def end(self, seconds: float | None) -> None:
        """The step has ended after so many seconds of training time; None: it must not count."""
        ...

    @property
    def ready(self) -> bool:
        """Whether another step may be measured without losing one that is not known yet."""
        ...

    def collect(self) -> list[tuple[dict[str, float], float]]:
        """Phases and duration, in seconds, of the steps that are known by now, each handed out once."""
        ...


class StepPhases:
    """An instrument: the mean phases of a window of at least two seconds.

    What belongs to no phase is what happens between two steps: figures fetched, events written.
    """

    def __init__(self, marks: PhaseMarks, device: torch.device, clock: Clock) -> None:
        from workbench.profiling.timelines import timeline

        self._marks = marks
        self._clock = clock
        self._timeline: Timeline = timeline(device)
        self._mark_seconds = _cost_of_a_mark(self._timeline)
        self._warm_up = WARM_UP
        self._step = 0
        self._every = 1
        self._busy = 0.0

    def start(self) -> None:
        """Begin a window."""
        self._seconds: dict[str, float] = dict.fromkeys(map(str, PHASES), 0.0)
        self._total = 0.0
        self._samples = 0
        self._first = self._step
        self._marked = 0
        self._as_written = False
        self._spent = self._busy  # what writing the last window took belongs to this one
        self._busy = 0.0
        self._began, self._training = time.perf_counter(), self._clock.seconds
        self._next()

    def after_step(self, step: int) -> bool:
        """Take the measured step's times down, and measure the next one if it is its turn."""
        entered = time.perf_counter()
        if self._measuring:
            self._as_written |= self._marks.as_written
            self._marks.off()
            self._timeline.end(self._duration(entered))
            self._marked += 1
        self._step = step
        for seconds, total in self._timeline.collect():
            if self._warm_up > 0:
                self._warm_up -= 1
                continue
            for phase, value in seconds.items():
                self._seconds[phase] += value
            self._total += total
            self._samples += 1
        over = self._samples >= ENOUGH and entered - self._began >= WINDOW_SECONDS
        self._spent += time.perf_counter() - entered
        if not over:
            self._next()
        return over

    def finish(self, folder: Path) -> Iterator[Event]:
        """Write ``phases.json``, say what was found."""
        entered = time.perf_counter()
        self._marks.off()
        self._measuring = False
        if (found := self.so_far()) is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "phases.json").write_text(seal(json.dumps(json.loads(to_json(found)), indent=2)) + "\n")
            self._busy = time.perf_counter() - entered
            yield found

    def so_far(self) -> PhasesMeasured | None:
        """What the window has found until now; None if that is nothing."""
        return self._found() if self._samples else None

    def _next(self) -> None:
        """Measure the step that begins now, or leave it alone."""
        steps = self._step - self._first
        if steps > 0:
            self._every = every((self._clock.seconds - self._training) / steps)
        self._measuring = chosen(self._step, self._every) and self._timeline.ready
        if self._measuring:
            self._marks.phase, self._marks.repeated = self._timeline.phase, self._timeline.repeated
            self._step_began, self._step_training = time.perf_counter(), self._clock.seconds
            self._timeline.begin()

    def _duration(self, now: float) -> float | None:
        """Seconds of the measured step; None where an evaluation, a pause or the like was in it."""
        whole, training = now - self._step_began, self._clock.seconds - self._step_training
        return whole if whole - training < 1e-4 else None

    def _found(self) -> PhasesMeasured:
        from workbench.profiling.timelines import MARKS_A_STEP

        measuring = self._spent + self._marked * MARKS_A_STEP * self._mark_seconds
        return PhasesMeasured(
            step=self._step,
            samples=self._samples,
            every=self._every,
            step_seconds=self._total / self._samples,
            seconds={phase: value / self._samples for phase, value in self._seconds.items()},
            cost=measuring / max(self._clock.seconds - self._training, 1e-9),
            recorded_seconds=self._seconds_of_others() if self._as_written else None,
        )

    def _seconds_of_others(self) -> float | None:
        """A mean step among those that were not measured; None where all were."""
        others = self._step - self._first - self._marked
        rest = self._clock.seconds - self._training - self._marked * self._total / self._samples
        return max(0.0, rest / others) if others > 0 else None


def _cost_of_a_mark(timeline: Timeline, steps: int = 20) -> float:
    """Seconds that a mark takes, begin and end of a step among them."""
    from workbench.profiling.timelines import MARKS_A_STEP

    began = time.perf_counter()
    for _ in range(steps):
        timeline.begin()
        for _ in range(MARKS_A_STEP - 2):
            timeline.phase("other")
        timeline.end(None)
    spent = time.perf_counter() - began
    timeline.collect()
    return spent / (steps * MARKS_A_STEP)
