"""What is being looked at among the runs of a folder: filter, order, selection, and what has to be read for that."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import Facts
from workbench.runs.find.fields import NO_KEYS, field, ordered
from workbench.runs.find.groups import Group, grouped
from workbench.runs.find.keys import Vocabulary
from workbench.runs.find.query import Query, parse
from workbench.runs.find.varying import Varying, in_common, in_short, telling, varying
from workbench.tui.common.words import place
from workbench.tui.runs.columns import DESCENDING, FIRST_SORT, Context
from workbench.tui.runs.fitting import chosen, possible, sorted_in_sight
from workbench.tui.runs.lister import Reading, Wanted
from workbench.tui.runs.overlay import LOOKS, Look, Selection


class RunBrowser:
    """The state of the Runs screen without the screen.

    found: the runs that are meant; rows: the lines of the table in their order, where several of them may be one.
    query_text: the filter as somebody wrote it. columns: the names of those that were asked for, () for those that come
    by themselves. unsure: whether the filter may mean something else since other recipes are there. folded: whether
    runs that differ by their seed only are one line; unfolded: the groups that are open.
    """

    def __init__(self) -> None:
        self.reading = Reading()
        self.heard = False
        self.rows: list[Entry] = []
        self.selection = Selection()
        self._wished: list[str] = []
        self.found: list[Entry] = []
        self.query = Query()
        self.query_text = ""
        self.columns: tuple[str, ...] = ()
        self.folded = False
        self.unfolded: set[str] = set()
        self.vocabulary = NO_KEYS
        self.unsure = False
        self.differs = Varying()
        self._compared: tuple[str, ...] = ()
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
            if [id(e.keys) for e in reading.listing.entries] != [id(e.keys) for e in self.entries]:
                self.vocabulary = Vocabulary(entry.keys for entry in reading.listing.entries)
                self._compared = ()
                self.unsure = True
            for name in filter(self._by_name.__contains__, self._wished):
                self.selection.toggle(name)
            self._wished = []
            self.selection.keep(self._by_name)
        self.reading, self.heard = reading, True

    @property
    def remembered(self) -> dict[str, Any]:
        """What the next session in this folder begins with."""
        order = {"sort": self.sort, "descending": self.descending}
        shown = {"columns": list(self.columns), "folded": self.folded}
        query = str(self.query) if self.heard else self.query_text
        return {"selected": [*self._wished, *self.selection.looks], "query": query, **order, **shown}

    def restore(self, before: Mapping[str, Any]) -> None:
        """Take up what an earlier session remembered; what is no longer there is forgotten."""
        if isinstance(text := before.get("query"), str):
            self.query_text = text  # it may name keys of recipes, which are still to be read
        if isinstance(sort := before.get("sort"), str):
            self.sort, self.descending = sort, bool(before.get("descending"))
        columns = before.get("columns")
        if isinstance(columns, list) and all(isinstance(name, str) for name in columns):
            self.columns = tuple(columns)
        self.folded = before.get("folded") is True
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

    def ask(self, text: str) -> bool:
        """Show only the runs of a filter; whether that is another one. Raises QueryError for what means nothing."""
        query = parse(text, self.vocabulary)
        self.unsure = False
        changed, self.query = query != self.query, query
        return changed

    def arrange(self, now: float) -> Context:
        """Filter, fold and sort; returns what the table needs for its cells. now: seconds since 1970."""
        self.found = self.query.select(self.entries, now)
        lines = grouped(self.found) if self.folded else self.found
        try:
            field(self.sort, self.vocabulary)
        except RunError:
            self.sort_by(FIRST_SORT)
        order = partial(ordered, now=now, descending=self.descending, vocabulary=self.vocabulary)
        self.rows = order(lines, self.sort)
        groups = [row for row in self.rows if isinstance(row, Group)]
        self.unfolded &= {group.name for group in groups}
        opened = [group for group in groups if group.name in self.unfolded]
        if opened:
            below = {group.name: order(group.members, self.sort) for group in opened}
            self.rows = [line for row in self.rows for line in (row, *below.get(row.name, ()))]
        self._compare()
        context = Context(now, self._facts, dict(self.selection.looks), self._by_name.get(self.baseline),
                          frozenset(member.name for group in opened for member in group.members),
                          usual=self.differs.usual)  # fmt: skip
        asked = self._asked()
        columns = chosen(asked, self.rows) if asked else possible(self.rows, self.differs, context)
        return replace(context, columns=sorted_in_sight(columns, self.sort))

    def _compare(self) -> None:
        """In what the runs differ; anew only if they are others, or a device is known now."""
        of = tuple(f"{entry.name} {entry.status.device if entry.status else ''}" for entry in self.found)
        if of != self._compared:
            self._compared, self.differs = of, varying(self.found)

    @property
    def common(self) -> str:
        """What all runs that are shown have in common, in a line; "" for nothing."""
        return " · ".join(in_common(self.differs, self.query, self.found))

    def _asked(self) -> list[tuple[str, Any]]:
        found = []
        for name in self.columns:
            with contextlib.suppress(RunError):  # no run has it any more
                found.append((name, field(name, self.vocabulary)))
        return found

    def columns_of(self, text: str) -> tuple[str, ...]:
        """The columns that somebody writes, separated by spaces or commas. Raises RunError with the nearest name."""
        names = tuple(text.replace(",", " ").split())
        for name in names:
            field(name, self.vocabulary)
        return names

    def show_columns(self, text: str) -> None:
        """Show other columns; "" those that come by themselves. Raises RunError."""
        self.columns = self.columns_of(text)

    def open(self, group: Group, *, opened: bool | None = None) -> None:
        """Show the runs of a group below it, or no longer; the other way round where that is left out."""
        wanted = group.name not in self.unfolded if opened is None else opened
        (self.unfolded.add if wanted else self.unfolded.discard)(group.name)

    def sort_by(self, sort: str) -> None:
        """Sort by a field, in the direction in which the best or newest comes first."""
        self.sort, self.descending = sort, sort in DESCENDING

    def sort_by_next(self, sorts: Sequence[str]) -> None:
        """Sort by the next of the columns that can be seen."""
        place = sorts.index(self.sort) + 1 if self.sort in sorts else 0
        self.sort_by(sorts[place % len(sorts)])

    def group_of(self, entry: Entry) -> Group | None:
        """The open group in which a run stands."""
        return next((row for row in self.rows if isinstance(row, Group) and entry in row.members), None)

    def select(self, entry: Entry) -> bool:
        """Choose a run or those of a group, or no longer; False if there are not looks enough for all."""
        names = [each.name for each in runs_of(entry)]
        if all(name in self.selection.looks for name in names):
            self.selection.drop(names)
            return True
        chosen = [name in self.selection.looks or self.selection.toggle(name) for name in names]
        return all(chosen)

    def selected(self, current: Entry | None) -> list[Entry]:
        """The selected runs, else the one under the cursor, or all of that group."""
        found = [self._by_name[name] for name in self.selection.looks if name in self._by_name]
        return found or runs_of(current)

    def wanted(self, in_sight: Sequence[str], current: Entry | None, *, chart: bool) -> Wanted:
        """What is to be read. in_sight: the rows that can be seen; chart: whether the chart can be seen too."""
        under = [current.run.name] if current else []
        subjects = list(self.selection.looks) if len(self.selection) > 1 else under
        about = dict.fromkeys([self.baseline, *subjects] if self.baseline and subjects else subjects)
        curves = tuple(self.overlaid(current)) if chart else ()
        return Wanted(tuple(dict.fromkeys((*in_sight, *curves))), tuple(about), curves)

    def overlaid(self, current: Entry | None) -> dict[str, Look]:
        """The runs in the chart: those selected, else the one under the cursor; and the baseline, if a look is left."""
        looks = dict(self.selection.looks)
        others = [] if looks else [entry.name for entry in runs_of(current)]
        for name in [*others, self.baseline] if self.baseline else others:
            taken = set(looks.values())
            look = self.selection.free(name)
            look = look if look not in taken else next((each for each in LOOKS if each not in taken), None)
            if look is not None:
                looks.setdefault(name, look)
        return looks

    def labels(self, names: Sequence[str]) -> list[str]:
        """In what some runs differ, in short: ``lr 0.3``, ``+cutout``, ``seed 1``; one alone is its recipe.

        Only what most of the runs do not have is said. The recipe's name stands there where it differs, or where
        nothing else does.
        """
        entries = [self._by_name[name] for name in names if name in self._by_name]
        differs = varying(entries)
        kinds = [(entry.recipe, in_short(entry, differs.keys)) for entry in entries]
        labels = []
        for entry, kind in zip(entries, kinds, strict=True):
            seed = entry.status.seed if entry.status and kinds.count(kind) > 1 else None
            words = in_short(entry, telling(entry, differs.keys, entries))
            parts = [entry.recipe if "recipe" in differs.fields else "", words, "" if seed is None else f"seed {seed}"]
            labels.append(" ".join(filter(None, parts)) or entry.recipe)
        return labels

    def summary(self) -> str:
        """How many runs, how many are selected, the order."""
        if not self.heard:
            return "reading the runs…"
        runs = "1 run" if len(self.entries) == 1 else f"{len(self.entries):,} runs"
        parts = [f"{len(self.found):,} of {runs}" if self.query.terms else runs]
        parts += ["folded"] if self.folded else []
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
        hint = f": {self.query.hint}" if self.query.hint else ""
        return "" if self.rows else f"No run is like that{hint}. esc shows all of them again."


def runs_of(current: Entry | None) -> list[Entry]:
    """A run, or those of a group."""
    if current is None:
        return []
    return list(current.members) if isinstance(current, Group) else [current]
