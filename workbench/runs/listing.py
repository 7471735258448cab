"""All runs of a folder, and finding one by what a person types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.recipe.errors import nearest
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunNotFound
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


def list_runs(root: Path) -> list[RunSummary]:
    """The runs in a folder, newest first; empty if there is no such folder. Reads one small file a run."""
    return sorted(map(summary, _runs(root)), key=lambda found: (found.created, found.run.name), reverse=True)


def summary(run: RunDirectory) -> RunSummary:
    """One run's line."""
    status = read_status(run)
    return RunSummary(run, judge(status), run.recipe_name, run.created, status)


def find_run(root: Path, text: str) -> RunDirectory:
    """The run that is meant: a path, a name, an unmistakable part of a name, or ``last``. Raises RunNotFound."""
    given = Path(text)
    if given.name == "recipe.toml":
        given = given.parent
    if RunDirectory(given).exists():
        return RunDirectory(given.resolve())
    runs = _runs(root)
    if text == "last" and runs:
        return max(runs, key=lambda run: (run.created, run.name))
    matches = (
        [run for run in runs if run.name == text]
        or [run for run in runs if text and run.name.startswith(text)]
        or [run for run in runs if text and text in run.name]
    )
    if len(matches) == 1:
        return matches[0]
    if matches:
        newest = sorted((run.name for run in matches), reverse=True)
        more = f", and {len(newest) - 3} more" if len(newest) > 3 else ""
        raise RunNotFound(
            f"'{text}' could be {len(newest)} runs: {', '.join(newest[:3])}{more}; write more of the name"
        )
    if not runs:
        raise RunNotFound(f"no run '{text}': there are no runs in {root}; name another folder with --runs")
    raise RunNotFound(f"no run '{text}' in {root}{nearest(text, [run.name for run in runs], list_all=3)}")


def newest_live_run(root: Path) -> RunDirectory:
    """The run started last among those at work. Raises RunNotFound."""
    found = list_runs(root)
    for listed in found:
        if listed.live:
            return listed.run
    if not found:
        raise RunNotFound(f"no run in {root} is live: there are none; start one with: workbench run RECIPE")
    raise RunNotFound(f"no run in {root} is live; name one: workbench runs lists them")


def _runs(root: Path) -> list[RunDirectory]:
    try:
        # A hidden folder is one that is being deleted.
        return [run for path in root.iterdir() if path.name[0] != "." and (run := RunDirectory(path)).exists()]
    except OSError:
        return []
