"""What the instruments left in a run's ``profile/`` folder. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from workbench.profiling.operators import OperatorTable, read_operators
from workbench.profiling.stack_tree import StackWindow, read_stacks
from workbench.storage.file_cache import FileCache

T = TypeVar("T")


@dataclass(frozen=True)
class Saved:
    """The last of each kind; None where there is none."""

    stacks: StackWindow | None = None
    operators: OperatorTable | None = None


class SavedReader:
    """Reads a file again when it is another one; one that cannot be read now leaves what was read before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stacks: FileCache[str, StackWindow | None] = FileCache()
        self._operators: FileCache[str, OperatorTable | None] = FileCache()
        self._saved = Saved()

    def read_new(self) -> Saved | None:
        """All that is there now; None if nothing changed since the last call."""
        stacks = self._read(self._stacks, "stacks.json", read_stacks)
        operators = self._read(self._operators, "operators.json", read_operators)
        if stacks is self._saved.stacks and operators is self._saved.operators:
            return None
        self._saved = Saved(stacks, operators)
        return self._saved

    def _read(self, cache: FileCache[str, T | None], name: str, read: Callable[[Path], T | None]) -> T | None:
        def make(known: T | None) -> T | None:
            found = read(path)
            return known if found is None else found

        path = self._folder / name
        return cache.get(name, [path], make)
