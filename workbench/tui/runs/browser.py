"""What is being looked at among the runs of a folder: filter, order, selection, and what has to be read for that."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import Facts
from workbench.runs.find.query import Query, QueryError, ordered, parse
from workbench.tui.common.words import place
from workbench.tui.runs.columns import COLUMNS, DESCENDING, FIRST_SORT, Context
from workbench.tui.runs.lister import Reading, Wanted
from workbench.tui.runs.overlay import LOOKS, Look, Selection


class RunBrowser:
    """The state of the Runs screen without the screen. ``rows``: the runs in the table, in their order."""

    def __init__(self) -> None:
        self.reading = Reading()
        self.heard = False
        self.rows: list[Entry] = []
        self.selection = Selection()
        self._wished: list[str] = []
        self.query = Query()
        self.sort, self.descending = FIRST_SORT, False
        self._facts: dict[str, Facts] = {}
        self._by_name: dict[str, Entry] = {}

    def hear(self, reading: Reading) -> None:
        """Take in what was read."""
        if reading.listing.baseline != self.baseline:
            self._facts.clear()  # they said how runs differ from another one
        if reading.whole:
            self._facts.update(reading.facts)
        if reading.listing is not self.reading.listing:
            self._by_name = {entry.name: entry for entry in reading.listing.entries}
            for name in filter(self._by_name.__contains__, self._wished):
                self.selection.toggle(name)
            self._wished = []
            self.selection.keep(self._by_name)
        self.reading, self.heard = reading, True

    @property
    def remembered(self) -> dict[str, Any]:
        """What the next session in this folder begins with."""
        order = {"sort": self.sort, "descending": self.descending}
        return {"selected": [*self._wished, *self.selection.looks], "query": str(self.query), **order}

    def restore(self, before: Mapping[str, Any]) -> None:
        """Take up what an earlier session remembered; what is no longer there is forgotten."""
        with contextlib.suppress(QueryError, TypeError, AttributeError):
            self.query = parse(before.get("query", ""))
        if before.get("sort") in [column.sort for column in COLUMNS]:
            self.sort, self.descending = before["sort"], bool(before.get("descending"))
        selected = before.get("selected")
        self._wished = [name for name in selected if isinstance(name, str)] if isinstance(selected, list) else []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All runs."""
        return self.reading.listing.entries

    @property
    def baseline(self) -> str:
        """The baseline's name, "" without one."""
        return self.reading.listing.baseline

    def arrange(self, now: float) -> Context:
        """Filter and sort; returns what the table needs for its cells. now: seconds since 1970."""
        self.rows = ordered(self.query.select(self.entries, now), self.sort, now, descending=self.descending)
        return Context(now, self._facts, dict(self.selection.looks), self._by_name.get(self.baseline))

    def sort_by(self, sort: str) -> None:
        """Sort by a field, in the direction in which the best or newest comes first."""
        self.sort, self.descending = sort, sort in DESCENDING

    def sort_by_next(self, sorts: Sequence[str]) -> None:
        """Sort by the next of the columns that can be seen."""
        place = sorts.index(self.sort) + 1 if self.sort in sorts else 0
        self.sort_by(sorts[place % len(sorts)])

    def selected(self, current: Entry | None) -> list[Entry]:
        """The selected runs, else the one under the cursor."""
        found = [self._by_name[name] for name in self.selection.looks if name in self._by_name]
        return found or ([current] if current else [])

    def wanted(self, in_sight: Sequence[str], current: Entry | None, *, chart: bool) -> Wanted:
        """What is to be read. in_sight: the rows that can be seen; chart: whether the chart can be seen too."""
        subjects = list(self.selection.looks) if len(self.selection) > 1 else [current.name] if current else []
        about = dict.fromkeys([self.baseline, *subjects] if self.baseline and subjects else subjects)
        curves = tuple(self.overlaid(current)) if chart else ()
        return Wanted(tuple(dict.fromkeys((*in_sight, *curves))), tuple(about), curves)

    def overlaid(self, current: Entry | None) -> dict[str, Look]:
        """The runs in the chart: those selected, else the one under the cursor; and the baseline, if a look is left."""
        looks = dict(self.selection.looks)
        others = [current.name] if current and not looks else []
        for name in [*others, self.baseline] if self.baseline else others:
            taken = set(looks.values())
            look = self.selection.free(name)
            look = look if look not in taken else next((each for each in LOOKS if each not in taken), None)
            if look is not None:
                looks.setdefault(name, look)
        return looks

    def labels(self, names: Sequence[str]) -> list[str]:
        """What some runs are: the recipe and what differs; seeds where that is the same."""
        known = [(self._by_name[name], self._facts.get(name)) for name in names if name in self._by_name]
        labels = [f"{entry.recipe} {facts.words if facts else ''}".rstrip() for entry, facts in known]
        seeds = [f" seed {facts.seed}" if facts and facts.seed is not None else "" for _, facts in known]
        return [f"{label}{seed if labels.count(label) > 1 else ''}" for label, seed in zip(labels, seeds, strict=True)]

    def summary(self) -> str:
        """How many runs, how many are selected, the order."""
        if not self.heard:
            return "reading the runs…"
        runs = "1 run" if len(self.entries) == 1 else f"{len(self.entries):,} runs"
        parts = [f"{len(self.rows):,} of {runs}" if self.query.terms else runs]
        parts += [f"{self.reading.listing.unreadable:,} unreadable"] if self.reading.listing.unreadable else []
        parts += [f"{len(self.selection)} selected"] if self.selection.looks else []
        return " · ".join([*parts, f"by {self.sort}"])

    def nothing_to_show(self, root: Path) -> str:
        """Why there is no run to show, and what to do; "" where there is one. root: the folder of the runs."""
        listing = self.reading.listing
        if listing.problem:
            return listing.problem
        if not self.entries:
            where = place(root, 40)
            return (
                listing.left_out
                or f"No runs yet in {where}. Press 1 for Compose and r to train a recipe, or: workbench run digits"
            )
        return "" if self.rows else "No run is like that. esc shows all of them again."
