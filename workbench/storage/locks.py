"""Keeping other threads and processes out: for a moment, or for as long as a process lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


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
