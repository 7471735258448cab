"""What the file system refuses, said so that a person knows what to do; and the current folder, which may be gone."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shutil
from pathlib import Path

from workbench.format import file_size

NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL})
"""Errors that mean that there is no such file, and not that it may not be looked at."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that mean that there is no room."""

ELSEWHERE = "choose another folder with --runs"
"""What to do where a folder of runs does not serve."""


def current_folder() -> Path:
    """The current folder; the place where it was if it was deleted meanwhile. Never raises."""
    try:
        return Path.cwd()
    except OSError:
        pass
    with contextlib.suppress(OSError):
        return Path(os.readlink("/proc/self/cwd").removesuffix(" (deleted)"))
    return Path(os.environ.get("PWD", os.sep))


def absolute(path: Path) -> Path:
    """A path from the root, with its links followed as far as that can be done. Never raises."""
    path = current_folder() / path
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return path


def gone() -> str:
    """One sentence if the current folder was deleted meanwhile, "" if it is there."""
    try:
        Path.cwd()
    except OSError:
        return (
            f"the current folder, {current_folder()}, was deleted: go to one that exists and start again "
            '(if it was made anew, cd "$PWD" is enough)'
        )
    return ""


def why(error: OSError, path: Path) -> str:
    """What is in the way of a file or folder, in a few words: the reason, where that lies, whose it is.

    path: what was asked for.
    """
    if error.errno == errno.ENOENT and not path.is_absolute() and (lost := gone()):
        return lost
    if (link := dangling(path)) or (link := next(filter(None, map(dangling, path.parents)), "")):
        return link
    text = error.strerror or str(error)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        file = next((place for place in (path, *path.parents) if place.is_file()), None)
        return f"{file if file != path else 'it'} is not a folder" if file is not None else text
    if error.errno in (errno.EACCES, errno.EPERM) and (whose := owner(path)):
        return f"{text}, it belongs to {whose}"
    return text


def room(error: OSError) -> str:
    """The first half of a remedy where a disk is full: "make room there, or ", else ""."""
    return "make room there, or " if error.errno in FULL else ""


def not_written(path: Path, error: OSError, needed: int | None = None) -> str:
    """One line for a file of a run that could not be written: why, and what to do.

    needed: the bytes for which there was no room.
    """
    reason = why(error, path)
    if reason == gone():
        return reason
    if error.errno in FULL:
        free = _free(path)
        figures = [f"{file_size(needed)} needed"] if needed is not None else []
        figures += [f"{file_size(free)} free"] if free is not None else []
        reason += f" ({', '.join(figures)})" if figures else ""
    return f"{path}: cannot be written: {reason}; {room(error)}{ELSEWHERE}"


def _free(path: Path) -> int | None:
    """Bytes that the disk of a file has left; None if it does not say."""
    for folder in path.parents:
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


def exists(path: Path) -> bool:
    """Whether there is something at a place, if only a link to nothing, or something that may not be looked at."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno not in NOT_THERE
    return True


def dangling(path: Path) -> str:
    """What is wrong with a link whose target is not there, "" for anything else."""
    try:
        return f"is a link to {os.readlink(path)}, which is not there" if not os.path.exists(path) else ""
    except OSError:
        return ""


def owner(path: Path) -> str:
    """Whose the nearest place is that can be looked at; "" if it is this user's own."""
    for place in (path, *path.parents):
        try:
            uid = os.stat(place).st_uid
        except OSError:
            continue
        if uid == os.geteuid():
            return ""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"user {uid}"
    return ""
