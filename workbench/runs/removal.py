"""Deleting runs: never one that is at work, and never so that half a run is left in the list."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from workbench.filesystem import why
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.files import Claim
from workbench.runs.listing import summary
from workbench.runs.notes import baseline, pin

ASIDE = ".deleted-"
"""What the name of a run begins with while its files are removed: lists leave hidden folders out."""


def refusal(run: RunDirectory) -> str:
    """Why a run may not be deleted now and what to do, in one line; "" if nothing speaks against it."""
    found = summary(run)
    if not found.live:
        return ""
    if found.state == "unknown":
        host = found.status.host if found.status else "another machine"
        return f"run '{run.name}' is at work on {host}; stop it first: workbench stop {run.name}"
    return f"run '{run.name}' is {found.state}; stop it first: workbench stop {run.name}"


def remove(run: RunDirectory) -> None:
    """Delete a run with all its files; a baseline loses its pin. Raises RunError, for a live run too.

    The directory is renamed in one step first: whatever happens then, nobody sees half a run.
    """
    if not run.exists():
        raise RunError(f"{run.path}: there is no run here")
    if reason := refusal(run):
        raise RunError(reason)
    root = run.path.parent
    try:
        claim = Claim(run.lock_file)
    except OSError as error:
        raise _cannot_delete(run, error) from error
    try:
        if not claim.take():
            raise RunError(f"run '{run.name}' is held by another process; stop it first: workbench stop {run.name}")
        pinned = baseline(root) == run.name
        aside = root / f"{ASIDE}{run.name}-{os.getpid()}"
        run.path.rename(aside)
    except OSError as error:
        raise _cannot_delete(run, error) from error
    finally:
        claim.give_back()
    if pinned:
        pin(root, "")
    for leftover in (aside, *root.glob(f"{ASIDE}*")):  # also those of a process that was killed meanwhile
        shutil.rmtree(leftover, ignore_errors=True)
    if aside.exists():
        raise RunError(
            f"{aside}: some files could not be removed; the run is gone from the list, delete the rest by hand"
        )


def size(runs: Iterable[RunDirectory]) -> int:
    """Bytes that the files of some runs hold."""
    return sum(_size(run.path) for run in runs)


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:  # replaced or removed since it was listed
                continue
    return total


def _cannot_delete(run: RunDirectory, error: OSError) -> RunError:
    return RunError(f"{run.path}: cannot be deleted: {why(error, run.path)}; it is as it was")
