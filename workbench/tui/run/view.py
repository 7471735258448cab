"""What a screen shows of a run, folded from its events and from the samples of its machine one after the other."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from workbench.evaluation.chance import reach_of_chance
from workbench.evaluation.fit import Fit, read_fit
from workbench.events import (
    Continued,
    Evaluated,
    Event,
    Finished,
    Paused,
    Resumed,
    RunStarted,
    Trained,
)
from workbench.runs.store.history import RunHistory
from workbench.runs.store.machine import Sample
from workbench.sentences import Sentence, sentence
from workbench.tui.charts.columns import Curve, at_step

THROUGHPUT_SECONDS = 60.0
"""The time left is reckoned from the steps of this many seconds."""


class RunView(RunHistory):
    """The present picture of one run. ``version`` grows with every change of the curves."""

    def __init__(self) -> None:
        super().__init__()
        self.steps_seen: array[float] = array("d")
        self.seconds: array[float] = array("d")
        self.times: array[float] = array("d")
        self._new_curves(1)
        self.machine = MachineView()
        self.log: deque[Sentence] = deque(maxlen=500)
        self.logged = 0
        self.version = 0
        self._first = self._last = self._worked = 0.0
        self._recent: deque[tuple[float, int]] = deque(maxlen=512)

    def _new_curves(self, total: int) -> None:
        self.loss, self.accuracy = Curve(self.steps_seen, total), Curve(self.steps_seen, total)
        self.learning_rate, self.throughput = Curve(self.steps_seen, total), Curve(self.steps_seen, total)

    def feed(self, events: Iterable[Event]) -> None:
        """Take events in their order. A Resumed withdraws nothing here: give a new view all that still counts."""
        for event in events:
            self._first = self._first or event.time
            if isinstance(event, Resumed):
                self.machine.withdraw(self._worked, event.time)
            if hasattr(event, "step"):
                self._worked = event.time
            self._last = max(self._last, event.time)
            self.take(event)

    def feed_machine(self, samples: Iterable[Sample]) -> None:
        """Take samples of the machine, after the events that were read with them."""
        for sample in samples:
            self.machine.add(sample)
            self.version += 1

    def take(self, event: Event) -> None:
        """Take the next event."""
        first = self.started is None
        super().take(event)
        match event:
            case RunStarted() if first:
                self._new_curves(event.steps)
            case Trained():
                self._trained(event)
            case Evaluated():
                self.version += 1
            case Paused() | Continued() | Resumed():
                self._recent.clear()
            case _:
                pass
        if (said := sentence(event, self.started)) is not None:
            self.say(said)

    def _trained(self, event: Trained) -> None:
        self.steps_seen.append(event.step)
        self.seconds.append(event.seconds)
        self.times.append(event.time)
        self.loss.add(event.loss)
        self.accuracy.add(event.accuracy)
        self.learning_rate.add(event.learning_rate)
        self.throughput.add(event.images_per_second)
        self._recent.append((event.time, event.step))
        while len(self._recent) > 2 and event.time - self._recent[0][0] > THROUGHPUT_SECONDS:
            self._recent.popleft()
        self.version += 1

    def say(self, said: Sentence) -> None:
        """Add a line to the log."""
        self.log.append(said)
        self.logged += 1

    @property
    def begun(self) -> bool:
        """Whether there is an event."""
        return self._first > 0

    @property
    def fraction(self) -> float:
        """The share of the run that is done, 0–1."""
        if isinstance(self.ended, Finished):
            return 1.0
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    @property
    def begun_at(self) -> float:
        """The time of the first event, in seconds since 1970; 0 before it."""
        return self._first

    def elapsed(self, now: float) -> float:
        """Seconds since the first event, up to ``now`` (seconds since 1970) or to the end of the run."""
        if not self._first:
            return 0.0
        return max(0.0, (self._last if self.ended else now) - self._first)

    def remaining(self, now: float) -> float:
        """Seconds left at the pace of the last minute; nan while unknown, paused or at the end."""
        if self.ended or self.paused or len(self._recent) < 2 or not self.steps:
            return math.nan
        (t0, s0), (t1, s1) = self._recent[0], self._recent[-1]
        if s1 <= s0 or t1 <= t0:
            return math.nan
        pace = (t1 - t0) / (s1 - s0)
        return max(0.0, (self.steps - s1) * pace - max(0.0, now - t1))

    def fit(self) -> Fit | None:
        """What training and test accuracy said together at the newest evaluation; None before there is one."""
        if (judged := self.checks.get("fit")) is not None:  # after the run, on clean images
            return Fit(
                "warn" if judged.verdict == "fail" else judged.verdict,
                judged.found,
                "; ".join(text for text in (judged.reason, judged.advice) if text),
            )
        found = self.latest("test") or self.latest("validation")
        if found is None or self.trained is None:
            return None
        smooth, step = self.accuracy.smoothed(), found.step
        train = at_step(self.steps_seen, smooth, step)
        rise = train - at_step(self.steps_seen, smooth, 0.8 * step)
        progress = step / self.steps if self.steps else 0.0
        return read_fit(train, found.accuracy, progress, rise, split=found.split, guess=self._guess(found.split))

    def _guess(self, split: str) -> float:
        """The accuracy on a split that guessing reaches where its classes are equally frequent, 0–1."""
        if self.started is None or not self.started.classes:
            return 0.0
        images = self.started.test_images if split == "test" else self.started.validation_images
        return min(1.0, reach_of_chance(images, 1 / len(self.started.classes)))


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
