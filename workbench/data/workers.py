"""Starting loader workers inside a terminal app, whose standard streams and signals are its own."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.context import BaseContext
from typing import TypeVar

import torch

T = TypeVar("T")

_FOR_THE_APP = ("SIGINT", "SIGHUP", "SIGTSTP", "SIGCONT", "SIGWINCH")


def start_method() -> BaseContext:
    """fork on Linux (it shares the images and takes any function along), elsewhere what the platform prefers."""
    return multiprocessing.get_context("fork" if sys.platform == "linux" else None)


def start_workers(start: Callable[[], T], device: torch.device, context: BaseContext) -> T:
    """Call ``start``, which starts worker processes, in a thread of its own and return its result.

    Workers inherit the thread's blocked signals, so they are deaf from their first moment to what is meant for the app:
    the run ends its workers, not Ctrl-C or a lost terminal, and no handler of the app's screen runs in them.

    In the main thread torch would install a SIGCHLD handler that raises wherever the training happens to be when a
    worker dies; and processes forked from an executor's thread exit with 1. A plain thread has neither trouble.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in _FOR_THE_APP])
            on_device = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
            with on_device, _real_stderr(context):
                results.append(start())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="loader start")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def _real_stderr(context: BaseContext) -> Iterator[None]:
    """spawn and forkserver pass stderr's descriptor on, and an app's captured stderr says that its own is -1."""
    captured = sys.stderr
    if context.get_start_method() == "fork" or sys.__stderr__ is None:
        yield
        return
    sys.stderr = sys.__stderr__
    try:
        yield
    finally:
        sys.stderr = captured


def cause_of_death(exit_code: int | None) -> str:
    """A worker's exit code in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
    hints = {"SIGKILL": ": often the system ran out of memory", "SIGBUS": ": the shared memory in /dev/shm is full"}
    return name + hints.get(name, "")
