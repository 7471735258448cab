"""The runs of a folder with all that a table shows of them, read again only where a file has changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.runs.find.keys import Keys, read_keys
from workbench.runs.find.listing import look_into
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import Notes, baseline, read_notes
from workbench.runs.store.status import RunSummary, effective_state, read_status
from workbench.storage.file_cache import FileCache

NO_NOTES = Notes()


@dataclass(frozen=True)
class Entry(RunSummary):
    """A run's line with what people wrote about it, and what its recipe says."""

    notes: Notes = NO_NOTES
    keys: Keys = field(default_factory=dict, compare=False, repr=False)

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
        self._entries: FileCache[str, Entry] = FileCache()
        self._listing = NOTHING

    def refresh(self) -> Listing:
        """The runs as they are now: three ``stat`` a run, and two small files of those that changed;
        a recipe once."""
        folder = look_into(self.root)
        self._entries.keep_only(folder.names)
        entries = [self._entry(name) for name in folder.names]
        entries.sort(key=lambda e: (e.created, e.name), reverse=True)
        more = len(folder.unreadable), folder.left_out, folder.problem
        listing = Listing(tuple(entries), baseline(self.root), *more)
        if listing != self._listing:
            self._listing = listing
        return self._listing

    def _entry(self, name: str) -> Entry:
        path = f"{self.root}/{name}"
        files = f"{path}/status.json", f"{path}/user.toml"
        found = self._entries.get(name, files, lambda before: _read(RunDirectory(Path(path)), before))
        # A process may die without a word, so a claim of being alive is looked at each time.
        if (state := effective_state(found.status)) != found.state:
            found = self._entries.replace(name, replace(found, state=state))
        return found


def entry_of(run: RunDirectory) -> Entry:
    """One run's line, read now."""
    return _read(run, None)


def _read(run: RunDirectory, before: Entry | None) -> Entry:
    status = read_status(run)
    recipe, created = (before.recipe, before.created) if before else (run.recipe_name, run.created)
    keys = before.keys if before and before.keys else read_keys(run.recipe_file)
    return Entry(run, effective_state(status), recipe, created, status, read_notes(run), keys)
