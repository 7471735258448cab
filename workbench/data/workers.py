"""Starting loader workers inside a terminal app, whose standard streams and signals are its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

import torch

T = TypeVar("T")

_FOR_THE_APP = ("SIGINT", "SIGHUP", "SIGTSTP", "SIGCONT", "SIGWINCH")


def start_method() -> BaseContext:
    """forkserver where there is one, else spawn: forking a process that has threads, as one with screens has, may
    deadlock. The server is forked instead, which has a single thread and torch imported already."""
    server = "forkserver" in multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if server else "spawn")


def make_ready(context: BaseContext | None = None) -> None:
    """Start the server of a forkserver, which imports torch in the background; the first workers wait for it less."""
    context = context or start_method()
    if context.get_start_method() == "forkserver":
        from multiprocessing.forkserver import ensure_running, set_forkserver_preload

        set_forkserver_preload(["workbench.data.worker_imports"])
        start_workers(ensure_running, torch.device("cpu"), context)


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
            _block_signals()
            on_device = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
            with on_device, _startable(context):
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
def _startable(context: BaseContext) -> Iterator[None]:
    """Let a process start that is not a fork of this one.

    It is given stderr's descriptor, and an app's captured stderr says that its own is -1. And it would run the main
    script of this process first, which nothing that is sent to it needs.
    """
    if context.get_start_method() == "fork":
        yield
        return
    main = sys.modules["__main__"]
    with ExitStack() as stack:
        if sys.__stderr__ is not None:
            stack.callback(setattr, sys, "stderr", sys.stderr)
            sys.stderr = sys.__stderr__
        stack.callback(setattr, main, "__spec__", main.__spec__)
        main.__spec__ = None
        if hasattr(main, "__file__"):
            stack.callback(setattr, main, "__file__", main.__file__)
            del main.__file__
        yield


class WorkerStart:
    """What a worker does first, however it was started: DataLoader's ``worker_init_fn``.

    It writes to the standard streams that this process has now (a fork server has those of its own start), is deaf to
    signals that are meant for the app, and ends with this process: to torch, the server would be its parent.
    """

    def __init__(self, streams: tuple[tuple[int, Any], ...] = ()) -> None:
        self._streams = streams

    def __reduce__(self) -> tuple[type[WorkerStart], tuple[tuple[tuple[int, Any], ...]]]:
        from multiprocessing.reduction import DupFd

        return WorkerStart, (tuple((number, DupFd(number)) for number in (1, 2) if _is_open(number)),)

    def __call__(self, worker: int) -> None:
        for number, sent in self._streams:
            descriptor = sent.detach()
            os.dup2(descriptor, number)
            os.close(descriptor)
        _block_signals()
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _is_open(descriptor: int) -> bool:
    with suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


def _block_signals() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in _FOR_THE_APP])


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


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
