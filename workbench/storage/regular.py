"""Reading files that anybody may have put there: no pipe, device or ten gigabytes of nothing hold a reader up."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from workbench.format import file_size

SMALL = 1 << 20
"""Bytes that a status, a recipe, notes, settings or a request never have more of."""

MIDDLING = 1 << 26
"""Bytes that a session, an environment, stacks or a table of operators never have more of."""

LARGE = 1 << 28
"""Bytes that the results of an evaluation never have more of."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NoRoom(OSError):
    """A file of ``needed`` bytes that could not be written; earlier ones are as they were."""

    def __init__(self, error: OSError, path: Path, needed: int) -> None:
        super().__init__(error.errno, error.strerror, str(path))
        self.needed = needed


def read_bytes(path: str | Path, most: int = SMALL) -> bytes:
    """The content of a regular file of at most ``most`` bytes. Never waits for a writer.

    Raises OSError, whose ``strerror`` says in words what is there instead of such a file.
    """
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > most:
            raise _unfit(errno.EFBIG, f"it has {file_size(size)}; such a file has {file_size(most)} at most", path)
        parts = []
        while part := os.read(descriptor, most + 1):
            parts.append(part)
            most -= len(part)
            if most < 0:  # it grew while it was being read
                raise _unfit(errno.EFBIG, "it is longer than such a file can be", path)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(descriptor)


def read_text(path: str | Path, most: int = SMALL) -> str:
    """Like :func:`read_bytes`, as text without a byte order mark. Raises OSError; UnicodeDecodeError if not UTF-8."""
    return read_bytes(path, most).decode("utf-8-sig").replace("\r\n", "\n")


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file, the caller's to close. Raises OSError for anything else; never waits."""
    _check(os.stat(path), path)  # before opening: a pipe's writer and some devices notice that
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    try:
        _check(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_appending(path: str | Path) -> int:
    """A descriptor for appending to a regular file, which is made if it is not there. Raises OSError; never waits."""
    try:
        return open_regular(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        _check(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result, path: str | Path) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    raise _unfit(errno.ENOTSUP, another(found.st_mode), path)


def another(mode: int) -> str:
    """What stands in a regular file's place, in words."""
    return f"it is {next((name for test, name in _KINDS if test(mode)), 'something else')}, not a file"


def _unfit(number: int, reason: str, path: str | Path) -> OSError:
    return OSError(number, reason, str(path))
