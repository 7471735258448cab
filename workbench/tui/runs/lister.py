"""Reads the folder of runs in a thread of its own, and of a few runs what the screen asks for: details, curves."""

from __future__ import annotations

import bisect
import contextlib
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message

from workbench.events import Event, Finished, RunStarted, Trained
from workbench.paths import known_recipes
from workbench.recipe import Change, RecipeError
from workbench.runs.find.catalog import NOTHING, Catalog, Entry, Listing
from workbench.runs.find.compare import Comparison, Facts, RecipeCache, changes, compare
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventReader
from workbench.runs.store.history import RunHistory
from workbench.tui.charts.columns import Curve, Point, thin
from workbench.tui.common.background import start_thread


@dataclass(frozen=True)
class Wanted:
    """What the screen shows: the names of the rows in sight, of the runs in the details, and of those in the chart.

    ``about``: the first is what the others are compared with; one alone is compared with the recipe of its name.
    """

    rows: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Details:
    """Runs side by side. ``changes``: of a single run, from the known recipe of its name. problem: one line."""

    comparison: Comparison | None = None
    changes: tuple[Change, ...] = ()
    known: bool = False
    problem: str = ""


NO_DETAILS, NOTHING_WANTED = Details(), Wanted()


@dataclass(frozen=True)
class Reading:
    """What is known of a folder. ``whole``: False while recipes and curves are still to be read."""

    listing: Listing = NOTHING
    facts: dict[str, Facts] = field(default_factory=dict)
    details: Details = NO_DETAILS
    curves: dict[str, Curves] = field(default_factory=dict)
    wanted: Wanted = NOTHING_WANTED
    whole: bool = False


class RunLister:
    """Looks once in ``interval()`` seconds while awake. ``hear`` is called in the thread and must not block."""

    def __init__(
        self, root: Path, hear: Callable[[Reading], object], interval: Callable[[], float] = lambda: 1.0
    ) -> None:
        self._catalog = Catalog(root)
        self._recipes = RecipeCache()
        self._hear = hear
        self._interval = interval
        self._wanted = Wanted()
        self._readers: dict[str, CurveReader] = {}
        self._compared: tuple[tuple[Entry, ...], Details] = ((), Details())
        self._reading = Reading()
        self._said = False
        self._hurry = True
        self._listed = 0.0
        self._wake = threading.Event()
        self._awake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Look now, and go on looking."""
        if self._thread is None:
            self._thread = start_thread("listing runs", self._work)
        self._hurry = True
        self._awake.set()
        self._wake.set()

    def rest(self) -> None:
        """Nobody looks at the list."""
        self._awake.clear()

    def stop(self) -> None:
        """Let the thread end; does not wait for it."""
        self._over = True
        self._awake.set()
        self._wake.set()

    def want(self, wanted: Wanted) -> None:
        """Read this from now on; at once if it is something else than before."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    def _work(self) -> None:
        while True:
            self._awake.wait()
            self._wake.clear()
            if self._over:
                return
            with contextlib.suppress(OSError):
                self.look()
            self._wake.wait(self._interval())

    def look(self) -> None:
        """Read once: the list first, unless that was a moment ago, then what takes longer."""
        wanted, before = self._wanted, self._reading
        listing, now = before.listing, time.monotonic()
        if self._hurry or now - self._listed >= 0.9 * self._interval():
            self._hurry, self._listed = False, now
            listing = self._catalog.refresh()
        if listing is not before.listing or not self._said:
            self._say(Reading(listing, before.facts, before.details, before.curves, before.wanted))
        by_name = {entry.name: entry for entry in listing.entries}
        baseline = by_name.get(listing.baseline)
        facts = self._recipes.facts(
            [by_name[name] for name in wanted.rows if name in by_name],
            None if baseline is None else baseline.run.recipe_file,
        )
        details = self._details(tuple(by_name[name] for name in wanted.about if name in by_name))
        self._readers = {
            name: self._readers.get(name) or CurveReader(by_name[name].run) for name in wanted.curves if name in by_name
        }
        curves = {name: reader.read() for name, reader in self._readers.items()}
        self._say(Reading(listing, facts, details, curves, wanted, whole=True))

    def _say(self, reading: Reading) -> None:
        self._reading, self._said = reading, True
        if not self._over:
            self._hear(reading)

    def _details(self, entries: tuple[Entry, ...]) -> Details:
        if entries == self._compared[0] and len(entries) != 1:  # the recipe of a name may be saved anew
            return self._compared[1]
        details = self._compare(entries)
        if details == self._compared[1]:
            details = self._compared[1]
        self._compared = (entries, details)
        return details

    def _compare(self, entries: tuple[Entry, ...]) -> Details:
        if not entries:
            return Details()
        try:
            found = compare(entries, self._recipes)
            known = known_recipes().get(entries[0].recipe) if len(entries) == 1 else None
            if known is None:
                return Details(found)
            recipe = self._recipes.read(entries[0].run.recipe_file)
            return Details(found, tuple(changes(self._recipes.read(known), recipe)), known=True)
        except RecipeError as error:
            return Details(problem=str(error.problems[0]))


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
        self._events = EventReader(run)
        self._curves: Curves | None = None

    def read(self) -> Curves:
        """The curves as they are now; the same object as before if nothing is new."""
        events, anew = self._events.read()
        if anew:
            self._history = RunHistory()
            self._steps: array[float] = array("d")
            self._seconds: array[float] = array("d")
            self._loss = Curve(self._steps)
        if events or self._curves is None:
            self._take(events)
            values = self._evaluated() | {"training loss": _few(self._steps, self._loss.smoothed())}
            clock = _few(self._steps, self._seconds)
            self._curves = Curves(self.run.name, values, clock, self._history.steps_per_epoch)
        return self._curves

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            self._history.take(event)
            if isinstance(event, RunStarted) and not self._steps:
                self._loss = Curve(self._steps, event.steps)
            elif isinstance(event, Trained):
                self._steps.append(event.step)
                self._seconds.append(event.seconds)
                self._loss.add(event.loss)

    def _evaluated(self) -> dict[str, tuple[Point, ...]]:
        found: dict[str, tuple[Point, ...]] = {}
        for split, evaluations in self._history.evaluated.items():
            found[f"{split} accuracy"] = tuple((e.step, e.accuracy) for e in evaluations)
            found[f"{split} loss"] = tuple((e.step, e.loss) for e in evaluations)
        ended = self._history.ended
        if "test accuracy" not in found and isinstance(ended, Finished):
            found["test accuracy"] = ((ended.step, ended.test_accuracy),)
            found["test loss"] = ((ended.step, ended.test_loss),)
        return found


def _few(steps: Sequence[float], values: Sequence[float]) -> tuple[Point, ...]:
    """At most about 512 of the points."""
    if not steps:
        return ()
    places, found = thin(steps, values, 0.0, steps[-1], 512)
    return tuple(zip(places.tolist(), found.tolist(), strict=True))


class RunsRead(Message):
    """The folder of runs was looked at."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading
