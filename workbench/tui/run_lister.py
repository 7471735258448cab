"""Reads the folder of runs in a thread of its own, and of a few runs what the screen asks for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from workbench.places import known_recipes
from workbench.recipe import Change, RecipeError
from workbench.runs.catalog import NOTHING, Catalog, Entry, Listing
from workbench.runs.compare import Comparison, Facts, Recipes, changes, compare
from workbench.tui.run_curves import CurveReader, Curves


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
        self._recipes = Recipes()
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
            self._thread = threading.Thread(target=self._work, daemon=True, name="listing runs")
            self._thread.start()
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
