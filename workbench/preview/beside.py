"""A second process for what takes long, split off after the imports: it shares their memory but not the interpreter."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

NICE = 5
"""Steps of lower priority: the screens, a training and the quick answers go first."""


@dataclass(frozen=True)
class Beside:
    """The other process: requests to it, replies from it."""

    pid: int
    requests: IO[str]
    replies: IO[str]

    def wait(self) -> int:
        """Its exit code once it has ended; that of a signal is negative."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def split_off(serve: Callable[[IO[str], IO[str]], object]) -> Beside | None:
    """Fork; the new process calls ``serve`` with its requests and replies and ends when that returns.

    Call it before any thread is started. None where forking after the imports is not safe: only Linux is.
    """
    if sys.platform != "linux":
        return None
    here_reads, there_writes = os.pipe()
    there_reads, here_writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(here_reads)
        os.close(here_writes)
        _work(serve, there_reads, there_writes)
    os.close(there_reads)
    os.close(there_writes)
    return Beside(pid, os.fdopen(here_writes, "w", encoding="utf-8"), os.fdopen(here_reads, encoding="utf-8"))


def _work(serve: Callable[[IO[str], IO[str]], object], reads: int, writes: int) -> None:
    try:
        with contextlib.suppress(OSError):
            os.nice(NICE)
        with contextlib.suppress(KeyboardInterrupt):
            serve(os.fdopen(reads, encoding="utf-8"), os.fdopen(writes, "w", encoding="utf-8"))
        sys.stderr.flush()
    finally:
        os._exit(0)  # also after an error: the code of the other process must not run here
