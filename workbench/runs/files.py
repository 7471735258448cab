"""Small files that other processes read while we write: replaced in one step, or locked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from workbench.runs.errors import RunError


def replace_text(path: Path, text: str) -> None:
    """Write a file in one step: a reader sees the old text or the new one, never half. Raises RunError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> RunError:
    """The one line for a file that could not be written."""
    what = error.strerror or error
    return RunError(f"{path}: cannot be written: {what}; make room there, or choose another folder with --runs")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other threads and processes out for a moment. A file system without locks keeps nobody out."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(OSError):  # by hand: a process forked meanwhile would keep the lock
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


_held: set[tuple[int, int]] = set()
_held_guard = threading.Lock()


class Claim:
    """The exclusive right to train a run, for the life of this process at most.

    A POSIX record lock and not flock: loader workers that are forked from the run would inherit the latter and hold it
    for seconds after the run was killed. Record locks do not exclude two threads of one process, hence ``_held``.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        status = os.fstat(self._descriptor)
        self._identity = (status.st_dev, status.st_ino)

    def take(self) -> bool:
        """Whether the right is now ours; False if another run of this machine or file system has it."""
        with _held_guard:
            if self._identity in _held:
                return False
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                return False
            except OSError:  # a file system without locks: the status file alone has to do
                pass
            _held.add(self._identity)
            return True

    def give_back(self) -> None:
        """Let others train the run."""
        with _held_guard:
            _held.discard(self._identity)
            os.close(self._descriptor)
