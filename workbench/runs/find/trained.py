"""Which recipes have been trained already: the finished runs by what determines their numbers. Torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.recipe import Recipe
from workbench.recipe.earlier_names import EarlierNames
from workbench.recipe.schema import to_tables
from workbench.runs.find.catalog import Catalog, Entry
from workbench.storage import toml
from workbench.storage.file_cache import FileCache
from workbench.storage.regular import read_text

NAMES = ("format", "name", "about", "checks", "expect")
"""What changes no number of a run."""


@dataclass(frozen=True)
class Trained:
    """A finished run: the identity of its recipe, the CPU threads that it was given, its last test accuracy."""

    run: str
    identity: str
    threads: int | None
    accuracy: float | None

    @property
    def digits(self) -> str:
        """The end of the run's name, by which a command finds it: ``257d``."""
        return self.run.rpartition("-")[2]


class TrainedRuns:
    """The finished runs of a folder. One is read again only when its files have changed."""

    def __init__(self, root: Path) -> None:
        self._catalog = Catalog(root)
        self._trained: FileCache[str, Trained | None] = FileCache()

    def read(self) -> list[Trained]:
        """Newest first. Reads files: not for the UI thread."""
        entries = [entry for entry in self._catalog.refresh().entries if entry.state == "finished"]
        self._trained.keep_only([entry.name for entry in entries])
        return [found for entry in entries if (found := self._of(entry)) is not None]

    def _of(self, entry: Entry) -> Trained | None:
        run = entry.run
        files = (run.status_file, run.recipe_file)
        return self._trained.get(entry.name, files, lambda before: _trained(entry))


def _trained(entry: Entry) -> Trained | None:
    run, status = entry.run, entry.status
    try:
        if status is None or run.continues_file.exists():  # trained on from another run: another schedule
            return None
        tables = EarlierNames().replaced(toml.loads(read_text(run.recipe_file)))
        if tables.get("plugins"):  # whose code may be another by now
            return None
        train = tables.get("train", {})
        return Trained(run.name, _identity(tables), train.get("threads"), status.test_accuracy)
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None


def identity(recipe: Recipe) -> str:
    """A digest of what determines a run's numbers on one machine; CPU threads left out, which a run writes down."""
    return _identity(to_tables(recipe))


def _identity(tables: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in tables.items() if key not in NAMES}
    kept["train"] = {key: value for key, value in tables["train"].items() if key != "threads"}
    kept["techniques"] = {
        name: {key: value for key, value in values.items() if key != "enabled"}
        for name, values in tables["techniques"].items()
        if values.get("enabled", True)
    }
    kept.setdefault("seed", 0)
    return hashlib.sha256(repr(_ordered(kept)).encode()).hexdigest()


def _ordered(value: Any) -> Any:
    return sorted((key, _ordered(v)) for key, v in value.items()) if isinstance(value, dict) else value


def like(recipe: Recipe, trained: Iterable[Trained]) -> list[Trained]:
    """The runs that trained the same, in the order given."""
    wanted, threads = identity(recipe), recipe.train.threads
    return [run for run in trained if run.identity == wanted and threads in (None, run.threads)]
