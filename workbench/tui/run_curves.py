"""The curves of one run for comparison with others, folded from its events; read by a thread, never by the screen."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.events import Evaluated, Event, Finished, Resumed, RunStarted, Trained
from workbench.runs.directory import RunDirectory
from workbench.runs.reader import EventReader, what_counts
from workbench.tui.charts import Point
from workbench.tui.columns import Curve, thin

METRICS = ("test accuracy", "test loss", "training loss", "validation accuracy")
XS = ("epoch", "step", "time")


@dataclass(frozen=True)
class Curves:
    """A run's values by metric as (step, value), and the training seconds by step. Values may be nan: gaps."""

    name: str
    values: dict[str, tuple[Point, ...]]
    clock: tuple[Point, ...]
    steps_per_epoch: int

    def points(self, metric: str, x: str) -> list[Point]:
        """A curve over the epochs, the steps or the training time in seconds."""
        return [(self._place(step, x), value) for step, value in self.values.get(metric, ())]

    def _place(self, step: float, x: str) -> float:
        if x == "step":
            return step
        return step / self.steps_per_epoch if x == "epoch" else self._seconds(step)

    def _seconds(self, step: float) -> float:
        """Between two known moments on the line through them; before the first and after the last at its pace."""
        if not self.clock:
            return 0.0
        right = min(max(1, bisect.bisect_left(self.clock, (step, 0.0))), len(self.clock) - 1)
        (s0, t0), (s1, t1) = ((0.0, 0.0), self.clock[0]) if right < 1 else (self.clock[right - 1], self.clock[right])
        return max(0.0, t0 + (step - s0) * (t1 - t0) / (s1 - s0)) if s1 > s0 else t1


class CurveReader:
    """Reads a run's events as they grow."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self._start()

    def _start(self) -> None:
        self._events = EventReader(self.run)
        self._steps: array[float] = array("d")
        self._seconds: array[float] = array("d")
        self._loss = Curve(self._steps)
        self._evaluated: dict[str, list[Point]] = {}
        self._steps_per_epoch = 1
        self._curves: Curves | None = None

    def read(self) -> Curves:
        """The curves as they are now; the same object as before if nothing is new."""
        events = self._events.read_new()
        if any(isinstance(event, Resumed) for event in events):
            self._start()
            events = what_counts(self._events.read_new())
        if events or self._curves is None:
            self._take(events)
            values = {name: tuple(points) for name, points in self._evaluated.items()}
            values["training loss"] = _few(self._steps, self._loss.smoothed())
            self._curves = Curves(self.run.name, values, _few(self._steps, self._seconds), self._steps_per_epoch)
        return self._curves

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case RunStarted():
                    if not self._steps:
                        self._loss = Curve(self._steps, event.steps)
                    self._steps_per_epoch = max(1, event.steps_per_epoch)
                case Trained():
                    self._steps.append(event.step)
                    self._seconds.append(event.seconds)
                    self._loss.add(event.loss)
                case Evaluated():
                    for what, value in (("accuracy", event.accuracy), ("loss", event.loss)):
                        self._evaluated.setdefault(f"{event.split} {what}", []).append((event.step, value))
                case Finished() if not self._evaluated.get("test accuracy"):
                    self._evaluated["test accuracy"] = [(event.step, event.test_accuracy)]
                    self._evaluated["test loss"] = [(event.step, event.test_loss)]
                case _:
                    pass


def _few(steps: Sequence[float], values: Sequence[float]) -> tuple[Point, ...]:
    """At most about 512 of the points."""
    if not steps:
        return ()
    places, found = thin(steps, values, 0.0, steps[-1], 512)
    return tuple(zip(places.tolist(), found.tolist(), strict=True))
