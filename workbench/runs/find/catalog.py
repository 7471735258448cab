"""The runs of a folder with all that a table shows of them, read again only where a file has changed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.runs.find.listing import look_into
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import Notes, baseline, read_notes
from workbench.runs.store.status import RunSummary, effective_state, read_status

NO_NOTES = Notes()

Stamp = tuple[int, int, int] | None
"""When a file was changed (ns), its length and its number; None where there is none."""


@dataclass(frozen=True)
class Entry(RunSummary):
    """A run's line with what people wrote about it."""

    notes: Notes = NO_NOTES

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name


@dataclass(frozen=True)
class Listing:
    """All runs, newest first, and the name of the baseline, "" without one.

    unreadable: how many more there are that cannot be read; left_out: which, and why. problem: why the folder itself
    cannot be read, "" if it can.
    """

    entries: tuple[Entry, ...] = ()
    baseline: str = ""
    unreadable: int = 0
    left_out: str = ""
    problem: str = ""


NOTHING = Listing()


class Catalog:
    """Reads a folder of runs again and again. What did not change stays the same object."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[Stamp, Stamp, Entry]] = {}
        self._listing = NOTHING

    def refresh(self) -> Listing:
        """The runs as they are now: three ``stat`` a run, and two small files of those that changed."""
        found: dict[str, tuple[Stamp, Stamp, Entry]] = {}
        folder = look_into(self.root)
        for name in folder.names:
            path = f"{self.root}/{name}"
            status, notes = stamp(f"{path}/status.json"), stamp(f"{path}/user.toml")
            known = self._known.get(name)
            if known is not None and known[:2] == (status, notes):
                found[name] = (status, notes, _judged(known[2]))
            else:
                found[name] = (status, notes, _entry(RunDirectory(Path(path)), known[2] if known else None, notes))
        self._known = found
        entries = sorted((kept[2] for kept in found.values()), key=lambda e: (e.created, e.name), reverse=True)
        more = len(folder.unreadable), folder.left_out, folder.problem
        listing = Listing(tuple(entries), baseline(self.root), *more)
        if listing != self._listing:
            self._listing = listing
        return self._listing


def entry_of(run: RunDirectory) -> Entry:
    """One run's line, read now."""
    return _entry(run, None, stamp(run.notes_file))


def stamp(path: str | Path) -> Stamp:
    """What tells one version of a file from the next."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _entry(run: RunDirectory, known: Entry | None, notes: Stamp) -> Entry:
    status = read_status(run)
    recipe, created = (known.recipe, known.created) if known else (run.recipe_name, run.created)
    return Entry(run, effective_state(status), recipe, created, status, NO_NOTES if notes is None else read_notes(run))


def _judged(entry: Entry) -> Entry:
    """A process may die without a word, so a claim of being alive is looked at each time."""
    state = effective_state(entry.status)
    return entry if state == entry.state else replace(entry, state=state)
