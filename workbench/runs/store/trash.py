"""Deleting runs: they are kept for a while in a hidden folder beside the others, and brought back in one piece.

The folder is ``.trash`` in the folder of runs, with a folder for each deletion and the runs' directories in that. What
lies there longer than :data:`KEEP_DAYS` goes for good, and so does the oldest of what is more than :data:`KEEP_BYTES`,
whenever something is deleted and when the screens open; never the latest deletion for its size.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.filesystem import why
from workbench.runs.errors import RunError, replace_text
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import baseline, pin
from workbench.runs.store.status import summary
from workbench.storage.locks import Claim

KEEP_DAYS = 7
KEEP_BYTES = 10_000_000_000
RULE = f"kept for {KEEP_DAYS} days, at most {KEEP_BYTES // 10**9} GB"
"""The rule in words."""

FOLDER = ".trash"
ASIDE = ".deleted-"
"""What the name of a folder begins with while its files are removed: nobody looks into hidden folders."""

PINNED = "baseline"
"""The file of a deletion that names the run which was the baseline."""


@dataclass(frozen=True)
class Deletion:
    """What was deleted at once. deleted: seconds since 1970."""

    path: Path
    runs: tuple[RunDirectory, ...]
    deleted: float


def new_deletion(root: Path) -> Path:
    """A folder for what is deleted now; nothing is made yet."""
    now = datetime.datetime.now(datetime.UTC)
    return root / FOLDER / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def _take(run: RunDirectory, deletion: Path) -> None:
    """Move a run into the folder of a deletion, in one step; a baseline loses its pin. Raises OSError and RunError."""
    root = run.path.parent
    pinned = baseline(root) == run.name
    deletion.mkdir(parents=True, exist_ok=True)
    try:
        _move(run.path, deletion / run.name)
    except OSError:
        _forget(deletion)
        raise
    if pinned:
        replace_text(deletion / PINNED, run.name + "\n")
        pin(root, "")


def _move(path: Path, target: Path) -> None:
    """Rename a run's directory. One that is a link to where it lies still leads there from another folder."""
    if path.is_symlink() and not os.path.isabs(os.readlink(path)):
        target.symlink_to(os.path.realpath(path))
        path.unlink()
    else:
        path.rename(target)


def deletions(root: Path) -> list[Deletion]:
    """What can be brought back, the latest first."""
    found = []
    for path in _folders(root / FOLDER):
        runs = tuple(run for folder in _folders(path) if (run := RunDirectory(folder)).exists())
        with contextlib.suppress(OSError):  # emptied or brought back meanwhile
            if runs:
                found.append(Deletion(path, runs, path.stat().st_mtime))
    return sorted(found, key=lambda deletion: deletion.path.name, reverse=True)


def bring_back(root: Path, names: Collection[str] = ()) -> list[RunDirectory]:
    """Undo the latest deletion, or bring back those runs that are meant: names, or unmistakable parts of them.

    Raises RunError if nothing was deleted, for a name that was not, and for a run that is there again; others come back
    all the same.
    """
    known = deletions(root)
    if not known:
        raise RunError(f"nothing was deleted in {root} that could be brought back ({RULE})")
    wanted = [_meant(known, name) for name in names] if names else [(known[0], run) for run in known[0].runs]
    back, problem = [], ""
    for deletion, run in wanted:
        target = RunDirectory(root / run.name)
        try:
            if target.path.exists():
                raise FileExistsError(17, "there is a run of that name again")
            run.path.rename(target.path)
        except OSError as error:
            problem = problem or f"{target.path}: cannot be brought back: {error.strerror or error}"
            continue
        back.append(target)
        _pin_again(root, deletion.path, run.name)
        _forget(deletion.path)
    if problem:
        raise RunError(f"{problem}; it is still in {root / FOLDER}")
    return back


def tidy(root: Path, now: float | None = None, *, everything: bool = False) -> int:
    """Remove for good what is kept no longer, or everything; returns how many runs that were. Reads many files."""
    now = time.time() if now is None else now
    gone, held = 0, 0
    for number, deletion in enumerate(deletions(root)):
        held += size(deletion.runs) if not everything else 0
        old = now - deletion.deleted > KEEP_DAYS * 24 * 3600
        if everything or old or (number > 0 and held > KEEP_BYTES):
            aside = root / f"{ASIDE}{deletion.path.name}"
            with contextlib.suppress(OSError):  # somebody else was faster
                deletion.path.rename(aside)
                gone += len(deletion.runs)
    if root.is_dir():
        for leftover in root.glob(f"{ASIDE}*"):  # also those of a process that was killed meanwhile
            shutil.rmtree(leftover, ignore_errors=True)
    with contextlib.suppress(OSError):
        (root / FOLDER).rmdir()  # only if nothing is left in it
    return gone


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


def _folders(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir()]
    except OSError:
        return []


def _meant(known: Iterable[Deletion], text: str) -> tuple[Deletion, RunDirectory]:
    runs = [(deletion, run) for deletion in known for run in deletion.runs]
    matches = [found for found in runs if found[1].name == text] or [found for found in runs if text in found[1].name]
    names = sorted({run.name for _, run in matches})
    if not text or not matches:
        listed = sorted((run.name for _, run in runs), reverse=True)
        more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
        raise RunError(f"no deleted run '{text}'; there are {', '.join(listed[:3])}{more}")
    if len(names) > 1:
        raise RunError(f"'{text}' could be {len(names)} deleted runs: {', '.join(names[:3])}; write more of the name")
    return matches[0]


def _pin_again(root: Path, deletion: Path, name: str) -> None:
    """The baseline is the baseline again, unless there is another one now."""
    with contextlib.suppress(OSError, RunError, UnicodeDecodeError):
        if not baseline(root) and (deletion / PINNED).read_text(encoding="utf-8").strip() == name:
            pin(root, name)


def _forget(deletion: Path) -> None:
    """Remove the folder of a deletion once no run is left in it."""
    if not _folders(deletion):
        with contextlib.suppress(OSError):
            (deletion / PINNED).unlink(missing_ok=True)
            deletion.rmdir()
            deletion.parent.rmdir()


def undeletable(run: RunDirectory) -> str:
    """Why a run may not be deleted now and what to do, in one line; "" if nothing speaks against it."""
    found = summary(run)
    if not found.live:
        return ""
    if found.state == "unknown":
        host = found.status.host if found.status else "another machine"
        return f"run '{run.name}' is at work on {host}; stop it first: workbench stop {run.name}"
    return f"run '{run.name}' is {found.state}; stop it first: workbench stop {run.name}"


def remove(run: RunDirectory, deletion: Path | None = None) -> None:
    """Delete a run: it goes to the trash of its folder. Raises RunError, for a live run too.

    deletion: what it is deleted together with, from :func:`new_deletion` for the same folder. The directory is renamed
    in one step: whatever happens, nobody sees half a run.
    """
    if not run.exists():
        raise RunError(f"{run.path}: there is no run here")
    if run.path.parent.parent.name == FOLDER:
        raise RunError(f"{run.path}: is deleted already; workbench delete --empty removes what was deleted for good")
    if reason := undeletable(run):
        raise RunError(reason)
    try:
        claim = Claim(run.lock_file)
    except OSError as error:
        raise _cannot_delete(run, error) from error
    try:
        if not claim.take():
            raise RunError(f"run '{run.name}' is held by another process; stop it first: workbench stop {run.name}")
        _take(run, deletion or new_deletion(run.path.parent))
    except OSError as error:
        raise _cannot_delete(run, error) from error
    finally:
        claim.give_back()


def _cannot_delete(run: RunDirectory, error: OSError) -> RunError:
    return RunError(f"{run.path}: cannot be deleted: {why(error, run.path)}; it is as it was")
