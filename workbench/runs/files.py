"""Small files that other processes read while we write: replaced in one step, or locked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from workbench.filesystem import FULL, gone, room, why
from workbench.runs.errors import CannotWrite
from workbench.storage.regular import in_bytes, open_regular


def replace_text(path: Path, text: str, *, last_resort: bool = False) -> None:
    """Write a file in one step: a reader sees the old text or the new one, never half. Raises CannotWrite.

    last_resort: write over the old text where there is no room for both; the new one must fit into the same block.
    """
    data = text.encode("utf-8")
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if last_resort and error.errno in FULL and _write_over(path, data):
            return
        raise cannot_write(path, error, len(data)) from error


def _write_over(path: Path, data: bytes) -> bool:
    """Put a text into the blocks that a file has already, in one write; False if that cannot be."""
    try:
        descriptor = open_regular(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        data = data.ljust(found.st_size)  # blanks: what is left of a longer text would be no JSON
        fits = len(data) <= max(found.st_size, 512 * found.st_blocks)
        return fits and os.pwrite(descriptor, data, 0) == len(data)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError, needed: int | None = None) -> CannotWrite:
    """The one line for a file that could not be written. needed: the bytes for which there was no room."""
    reason = why(error, path)
    if reason == gone():
        return CannotWrite(reason)
    if error.errno in FULL:
        free = _free(path)
        figures = [f"{in_bytes(needed)} needed"] if needed is not None else []
        figures += [f"{in_bytes(free)} free"] if free is not None else []
        reason += f" ({', '.join(figures)})" if figures else ""
    return CannotWrite(f"{path}: cannot be written: {reason}; {room(error)}choose another folder with --runs")


def _free(path: Path) -> int | None:
    """Bytes that the disk of a file has left; None if it does not say."""
    for folder in path.parents:
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


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


_claims: set[int] = set()


def _forget_claims() -> None:
    for descriptor in _claims:
        os.close(descriptor)
    _claims.clear()


# Loader workers are forked from the run and outlive it for seconds when it is killed: they must not keep its lock.
os.register_at_fork(after_in_child=_forget_claims)


class Claim:
    """An exclusive right, such as to train a run, among all processes and threads; it ends with the process at the
    latest. A child that inherits the descriptor has it too.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        _claims.add(self.descriptor)

    def take(self, *, wait: bool = False) -> bool:
        """Whether the right is now ours; False if another one has it and we do not want to wait."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: the status file alone has to do
            pass
        return True

    def give_back(self) -> None:
        """Let others have it."""
        _claims.discard(self.descriptor)
        os.close(self.descriptor)
