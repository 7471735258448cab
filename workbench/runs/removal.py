"""Deleting runs: never one that is at work, and never so that half a run is left in the list."""

from __future__ import annotations

from pathlib import Path

from workbench.filesystem import why
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.files import Claim
from workbench.runs.listing import summary
from workbench.runs.trash import FOLDER, new_deletion, take


def refusal(run: RunDirectory) -> str:
    """Why a run may not be deleted now and what to do, in one line; "" if nothing speaks against it."""
    found = summary(run)
    if not found.live:
        return ""
    if found.state == "unknown":
        host = found.status.host if found.status else "another machine"
        return f"run '{run.name}' is at work on {host}; stop it first: workbench stop {run.name}"
    return f"run '{run.name}' is {found.state}; stop it first: workbench stop {run.name}"


def remove(run: RunDirectory, deletion: Path | None = None) -> None:
    """Delete a run: it goes to the trash of its folder, see :mod:`workbench.runs.trash`. Raises RunError, for a live
    run too.

    deletion: what it is deleted together with, from :func:`new_deletion` for the same folder. The directory is renamed
    in one step: whatever happens, nobody sees half a run.
    """
    if not run.exists():
        raise RunError(f"{run.path}: there is no run here")
    if run.path.parent.parent.name == FOLDER:
        raise RunError(f"{run.path}: is deleted already; workbench delete --empty removes what was deleted for good")
    if reason := refusal(run):
        raise RunError(reason)
    try:
        claim = Claim(run.lock_file)
    except OSError as error:
        raise _cannot_delete(run, error) from error
    try:
        if not claim.take():
            raise RunError(f"run '{run.name}' is held by another process; stop it first: workbench stop {run.name}")
        take(run, deletion or new_deletion(run.path.parent))
    except OSError as error:
        raise _cannot_delete(run, error) from error
    finally:
        claim.give_back()


def _cannot_delete(run: RunDirectory, error: OSError) -> RunError:
    return RunError(f"{run.path}: cannot be deleted: {why(error, run.path)}; it is as it was")
