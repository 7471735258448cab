"""Work aside: threads that never hold the screens up, and commands of ours in processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Protocol, TypeVar

from textual.message import Message

from workbench.runs.errors import RunError
from workbench.runs.launch import child_environment

T = TypeVar("T")


class ThreadBroke(Message):
    """An exception ended one of the app's own threads; one line for the user."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class WorkDone(Message):
    """A thread has done some work; ``then`` goes on with it on the screen."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.then = then


class Posts(Protocol):
    """The app, or whatever else takes messages from any thread and hears a WorkDone in the end."""

    def post_message(self, message: Message) -> bool:
        """Take a message; False where nobody will hear it any more."""


def start_thread(name: str, work: Callable[[], object]) -> threading.Thread:
    """Do something in a thread that ends with the process; an exception in it becomes a ThreadBroke of the app."""
    thread = threading.Thread(target=work, daemon=True, name=name)
    thread.start()
    return thread


def aside(
    app: Posts,
    name: str,
    work: Callable[[], T],
    then: Callable[[T], object] = lambda result: None,
    failed: Callable[[RunError], object] = lambda error: None,
) -> None:
    """Do something slow in a thread, and go on in the UI's with its result, or with the RunError that ended it.

    name: the thread's, for whoever reads a traceback. Where the app is leaving, nothing follows. Any other exception
    is the thread's own: see :func:`start_thread`.
    """

    def worked() -> None:
        try:
            result = work()
        except RunError as error:
            problem = error
            app.post_message(WorkDone(lambda: failed(problem)))
        else:
            app.post_message(WorkDone(lambda: then(result)))

    start_thread(name, worked)


class Child:
    """The process, once it was started. It is the first of a group, so that what it starts ends with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self.stopped = False

    def stop(self) -> None:
        """End the process, or keep it from being started; does not wait for it."""
        with self._lock:
            self.stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGTERM)

    def lines(
        self, command: Sequence[str], words: IO[str] | int = subprocess.DEVNULL, environment: Mapping[str, str] = {}
    ) -> Iterator[str]:
        """Start it and follow its output to the end; nothing where it was stopped before.

        words: for its errors. environment: what it has beside the usual.
        Raises OSError where it cannot be started.
        """
        with self._lock:
            if self.stopped:
                return
            process = self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**child_environment(), **environment},
                start_new_session=True,
            )
        assert process.stdout is not None
        with process.stdout as lines:
            yield from lines

    def wait(self) -> int:
        """Its exit code, once its output has ended; 0 where it was never started."""
        return 0 if self._process is None else self._process.wait()
