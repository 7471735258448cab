"""What lies in a folder of runs, what may not be looked at there, and finding one run by what a person types."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.filesystem import ELSEWHERE, NOT_THERE, dangling, gone, why
from workbench.recipe.errors import nearest, quoted
from workbench.runs.errors import RunError, RunNotFound, Tell, cannot_read
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import RunSummary, summary
from workbench.storage.regular import another

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


def _may_be(entry: os.DirEntry[str]) -> bool:
    """Whether this can be a run's directory: one, or a link to where nothing can be seen."""
    try:
        return entry.is_dir() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True


def list_runs(root: Path, tell: Tell = lambda line: None) -> list[RunSummary]:
    """The runs in a folder, newest first; empty if there is no such folder. Reads one small file a run.

    tell: hears what is there and cannot be read. Raises RunError if the folder itself cannot.
    """
    runs, _ = _runs(root, tell)
    return sorted(map(summary, runs), key=lambda found: (found.created, found.run.name), reverse=True)


def find_run(root: Path, text: str, tell: Tell = lambda line: None) -> RunDirectory:
    """The run that is meant: a path, a name, an unmistakable part of a name, or ``last``. Raises RunNotFound.

    tell: hears what else could have been meant and cannot be read. Raises RunError if the run or the folder cannot be.
    """
    given = Path(text)
    if given.name == "recipe.toml":
        given = given.parent
    found = holds_run(given)
    if found is True:
        return RunDirectory(given.resolve())
    if found and given.name != text:
        raise RunError(f"{given}: cannot be read: {found}")
    runs, folder = _runs(root)
    exact = next((run for run in runs if run.name == text), None)
    if exact is not None:
        return exact
    also = folder.among(lambda name: text == "last" or (text != "" and text in name))
    if also.unreadable:
        if not any(text == "last" or text in run.name for run in runs) or text in dict(also.unreadable):
            raise RunError(f"no run '{text}' can be read: {also.left_out}")
        tell(also.left_out)
    if text == "last" and runs:
        return max(runs, key=lambda run: (run.created, run.name))
    matches = [run for run in runs if text and run.name.startswith(text)] or [
        run for run in runs if text and text in run.name
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        newest = sorted((run.name for run in matches), reverse=True)
        more = f", and {len(newest) - 3} more" if len(newest) > 3 else ""
        raise RunNotFound(
            f"{quoted(text)} could be {len(newest)} runs: {', '.join(newest[:3])}{more}; write more of the name"
        )
    if not runs:
        raise RunNotFound(f"no run {quoted(text)}: there are no runs in {root}; name another folder with --runs")
    raise RunNotFound(f"no run {quoted(text)} in {root}{nearest(text, [run.name for run in runs], list_all=3)}")


def newest_live_run(root: Path, tell: Tell = lambda line: None) -> RunDirectory:
    """The run started last among those at work. Raises RunNotFound; tell and RunError as in :func:`list_runs`."""
    found = list_runs(root, tell)
    for listed in found:
        if listed.live:
            return listed.run
    if not found:
        raise RunNotFound(f"no run in {root} is live: there are none; start one with: workbench run RECIPE")
    raise RunNotFound(f"no run in {root} is live; name one: workbench runs lists them")


def _runs(root: Path, tell: Tell = lambda line: None) -> tuple[list[RunDirectory], RunFolder]:
    folder = look_into(root)
    if folder.problem:
        raise RunError(folder.problem)
    if folder.left_out:
        tell(folder.left_out)
    return [RunDirectory(root / name) for name in folder.names], folder
