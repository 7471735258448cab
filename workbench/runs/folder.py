"""What lies in a folder of runs: the runs, and what may not be looked at, which is never left out without a word."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.filesystem import NOT_THERE, dangling, gone, why
from workbench.runs.errors import RunError
from workbench.storage.regular import another

Tell = Callable[[str], object]
"""Hears in one line what was left out."""

NO_RUN = "lost+found"
"""A folder that every new file system has, for its administrator only."""


@dataclass(frozen=True)
class RunFolder:
    """names: of the directories that hold a run. unreadable: names of those that could, each with the reason why that
    cannot be seen. problem: why the folder itself cannot be read, one line; "" also where there is none yet.
    """

    root: Path
    names: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    def among(self, wanted: Callable[[str], bool]) -> RunFolder:
        """The same with those alone whose names are wanted."""
        names = tuple(filter(wanted, self.names))
        return replace(self, names=names, unreadable=tuple(pair for pair in self.unreadable if wanted(pair[0])))

    @property
    def left_out(self) -> str:
        """How many cannot be read, which, why and what to do, in one line; "" if all can be read."""
        if not self.unreadable:
            return ""
        count = len(self.unreadable)
        shown = ", ".join(f"{name} ({reason})" for name, reason in self.unreadable[:3])
        more = f", and {count - 3} more" if count > 3 else ""
        what = (
            "1 folder in {} cannot be read and is" if count == 1 else f"{count} folders in {{}} cannot be read and are"
        )
        links = all("is a link" in reason for _, reason in self.unreadable)
        how = "mend or remove the link" if links else f"the owner lets others read with: chmod -R a+rX {self._first}"
        return f"{what.format(self.root)} left out: {shown}{more}; {how}"

    @property
    def _first(self) -> Path:
        return self.root / next(name for name, reason in self.unreadable if "is a link" not in reason)


def look_into(root: Path) -> RunFolder:
    """What lies in a folder of runs, in no order. Never raises; costs a ``stat`` for each directory."""
    names, unreadable = [], []
    try:
        if not root.is_absolute() and (lost := gone()):
            return RunFolder(root, problem=lost)
        with os.scandir(root) as entries:
            for entry in entries:
                if entry.name[0] == "." or entry.name == NO_RUN:  # in hidden ones lies what was deleted
                    continue
                found = holds_run(entry.path) if _may_be(entry) else False
                if found is True:
                    names.append(entry.name)
                elif found:
                    unreadable.append((entry.name, found))
    except FileNotFoundError:
        link = dangling(root)
        return RunFolder(root, problem=f"{root}: {link}; mend the link, or {ELSEWHERE}" if link else "")
    except OSError as error:
        return RunFolder(root, problem=str(cannot_read(root, error)))
    return RunFolder(root, tuple(names), tuple(sorted(unreadable)))


def holds_run(path: str | Path) -> bool | str:
    """Whether a directory holds a run; the reason in a few words where that cannot be seen."""
    recipe = os.path.join(path, "recipe.toml")
    try:
        mode = os.stat(recipe).st_mode
        return stat.S_ISREG(mode) or f"its recipe.toml: {another(mode)}"
    except ValueError:  # a zero byte in the name
        return False
    except OSError as error:
        if error.errno not in NOT_THERE:
            return why(error, Path(path))
        return dangling(Path(path)) or (f"its recipe.toml {link}" if (link := dangling(Path(recipe))) else False)


ELSEWHERE = "choose another folder with --runs"


def cannot_read(path: Path, error: OSError) -> RunError:
    """The one line for a folder or a file of runs that cannot be read."""
    reason = why(error, path)
    return RunError(reason if reason == gone() else f"{path}: cannot be read: {reason}; {ELSEWHERE}")


def _may_be(entry: os.DirEntry[str]) -> bool:
    """Whether this can be a run's directory: one, or a link to where nothing can be seen."""
    try:
        return entry.is_dir() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True
