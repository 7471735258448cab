"""What the instruments left in a run's ``profile/`` folder. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from workbench.profiling.operators import OperatorTable, read_operators
from workbench.profiling.stack_tree import StackWindow, read_stacks


@dataclass(frozen=True)
class Saved:
    """The last of each kind; None where there is none."""

    stacks: StackWindow | None = None
    operators: OperatorTable | None = None


class SavedReader:
    """Reads a file again when it is another one."""

    def __init__(self, folder: Path) -> None:
        self._files = {"stacks": folder / "stacks.json", "operators": folder / "operators.json"}
        self._seen: dict[str, tuple[int, int]] = {}
        self._saved = Saved()

    def read_new(self) -> Saved | None:
        """All that is there now; None if nothing changed since the last call."""
        changed = False
        for name, path in self._files.items():
            try:
                status = path.stat()
            except OSError:
                continue
            stamp = status.st_mtime_ns, status.st_size
            if self._seen.get(name) == stamp:
                continue
            saved = self._read(name, path)
            if saved is not None:  # else it is being written: the next call reads it
                self._seen[name], self._saved, changed = stamp, saved, True
        return self._saved if changed else None

    def _read(self, name: str, path: Path) -> Saved | None:
        if name == "stacks":
            stacks = read_stacks(path)
            return replace(self._saved, stacks=stacks) if stacks is not None else None
        operators = read_operators(path)
        return replace(self._saved, operators=operators) if operators is not None else None
