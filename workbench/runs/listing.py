"""All runs of a folder, and finding one by what a person types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.recipe.errors import nearest, quoted
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError, RunNotFound
from workbench.runs.folder import RunFolder, Tell, holds_run, look_into
from workbench.runs.status import ACTIVE, Status, fresh, judge, read_status


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs. ``status``: None if nobody has started it; ``created``: seconds since 1970."""

    run: RunDirectory
    state: str
    recipe: str
    created: float
    status: Status | None

    @property
    def live(self) -> bool:
        """Whether a process is at work on it, as far as anyone can tell from here."""
        if self.state == "queued":  # without a process it waits in the queue
            return self.status is not None and self.status.pid > 0
        return (self.state in ACTIVE and self.status is not None) or (self.state == "unknown" and fresh(self.status))


def list_runs(root: Path, tell: Tell = lambda line: None) -> list[RunSummary]:
    """The runs in a folder, newest first; empty if there is no such folder. Reads one small file a run.

    tell: hears what is there and cannot be read. Raises RunError if the folder itself cannot.
    """
    runs, _ = _runs(root, tell)
    return sorted(map(summary, runs), key=lambda found: (found.created, found.run.name), reverse=True)


def summary(run: RunDirectory) -> RunSummary:
    """One run's line."""
    status = read_status(run)
    return RunSummary(run, judge(status), run.recipe_name, run.created, status)


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
