"""A command of ours in a process of its own, whose lines are heard as they come."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import IO

from workbench.runs.launch import child_environment


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

    def lines(self, command: Sequence[str], words: IO[str] | int = subprocess.DEVNULL) -> Iterator[str]:
        """Start it and follow its output to the end; nothing where it was stopped before. words: for its errors.

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
                env=child_environment(),
                start_new_session=True,
            )
        assert process.stdout is not None
        with process.stdout as lines:
            yield from lines

    def wait(self) -> int:
        """Its exit code, once its output has ended; 0 where it was never started."""
        return 0 if self._process is None else self._process.wait()
