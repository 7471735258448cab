"""Who writes where while a run trains: ours to the terminal, the libraries' to the run's log; and what Ctrl-C means."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

from workbench.storage.regular import open_appending

LEAVE_SECONDS = 2.0
"""How long a second Ctrl-C leaves for tidying up."""


@dataclass(frozen=True)
class Streams:
    """Where results and diagnostics go."""

    out: TextIO
    err: TextIO


@contextlib.contextmanager
def own_streams(log: Path) -> Iterator[Streams]:
    """Private streams for us, while everything else that is written to fd 1 and 2, by C++ too, goes to a log file."""
    if not (_is(sys.stdout, 1) and _is(sys.stderr, 2)):  # already someone's capture
        yield Streams(sys.stdout, sys.stderr)
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    file = _log(log)
    streams = Streams(*(os.fdopen(os.dup(fd), "w", buffering=1, encoding="utf-8", errors="replace") for fd in saved))
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield streams
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        for fd, number in zip(saved, (1, 2), strict=True):
            os.dup2(fd, number)
            os.close(fd)
        os.close(file)
        for stream in (streams.out, streams.err):
            with contextlib.suppress(OSError):  # its reader is gone
                stream.close()


def _leave(last: Callable[[], None]) -> None:
    try:
        last()
    finally:
        os._exit(130)


def _log(path: Path) -> int:
    """The log, opened for appending; nowhere if that cannot be: a run is not kept from training by its log."""
    try:
        return open_appending(path)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _is(stream: TextIO | None, number: int) -> bool:
    try:
        return stream is not None and stream.fileno() == number
    except (OSError, io.UnsupportedOperation):
        return False


@contextlib.contextmanager
def interruptible(
    stop: Callable[[], None], tell: Callable[[str], None], leave: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal ask for a stop; a second Ctrl-C raises KeyboardInterrupt.

    tell hears what happens, inside a signal handler: it may set a flag or write to a file descriptor, no more. leave is
    called, in a thread of its own, just before the process ends because tidying up took too long.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    presses = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal presses
        if os.getpid() != owner:  # a loader worker that was forked from us: only its parent decides about Ctrl-C
            if number != signal.SIGINT:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        presses += number == signal.SIGINT
        if presses == 2 and number == signal.SIGINT:  # once: another one would interrupt the tidying up
            timer = threading.Timer(LEAVE_SECONDS, _leave, (leave,))
            timer.daemon = True
            timer.start()
            raise KeyboardInterrupt
        if presses > 1:
            return
        stop()
        tell("stopping after this step, with a checkpoint; Ctrl-C again leaves at once")

    wanted = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) != signal.SIG_IGN
    ]
    before = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
