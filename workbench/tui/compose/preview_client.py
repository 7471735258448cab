"""The terminal's side of the preview process: starts it, asks the newest questions, starts it again if it dies."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from workbench.preview.protocol import PreviewRequest, Reply, Stage, read_reply, to_line
from workbench.runs.launch import child_environment
from workbench.tui.common.background import start_thread

COMMAND = (sys.executable, "-P", "-m", "workbench.preview")
QUIET: dict[Stage, float] = {"static": 0.0, "baseline": 0.0, "samples": 0.15, "checks": 0.3}
"""Seconds without a newer question of a stage before one is sent; what takes the child long can wait longer."""


@dataclass(frozen=True)
class PreviewEnded:
    """The process ended by itself. It is started ``again``, but is not asked again what it died of.

    at_once: before it answered anything, and not for the first time. words: the last line that it wrote to stderr.
    """

    returncode: int
    again: bool = True
    at_once: bool = False
    words: str = ""


class PreviewClient:
    """Two threads: one starts the process and reads its replies, one sends it the newest question of each stage.

    ``hear`` is called in the reading thread, with replies to the newest questions only, and with PreviewEnded.
    """

    def __init__(
        self, hear: Callable[[Reply | PreviewEnded], object], log: Path | None = None, command: Sequence[str] = COMMAND
    ) -> None:
        self._hear = hear
        self._log = log
        self._command = list(command)
        self._condition = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._pending: dict[Stage, tuple[float, PreviewRequest]] = {}
        self._newest: dict[Stage, int] = {}
        self._closed = False

    def start(self) -> None:
        """Start both threads, and with them the process."""
        start_thread("preview replies", self._read)
        start_thread("preview questions", self._send)

    def ask(self, request: PreviewRequest) -> None:
        """Ask; every older question of its stage is forgotten."""
        with self._condition:
            self._pending[request.stage] = time.monotonic() + QUIET[request.stage], request
            self._newest[request.stage] = request.id
            self._condition.notify_all()

    def close(self) -> None:
        """End the process by closing its stdin; does not wait for it."""
        with self._condition:
            self._closed = True
            process = self._process
            self._condition.notify_all()
        if process is not None:
            with contextlib.suppress(OSError, ValueError):
                process.terminate()

    def _read(self) -> None:
        pause = 1.0
        while True:
            begins_at = self._log_size()
            process = self._started()
            if process is None:
                return
            assert process.stdout is not None
            for line in process.stdout:
                with contextlib.suppress(ValueError):
                    reply = read_reply(line)
                    pause = 1.0
                    if reply.id in self._newest.values():
                        self._hear(reply)
            returncode = process.wait()
            with self._condition:
                self._process = None
                _close(process)
                self._pending.clear()  # one of them may be what it died of
                if self._closed:
                    return
            self._hear(PreviewEnded(returncode, at_once=pause > 1.0, words=self._last_words(begins_at)))
            with self._condition:
                self._condition.wait_for(lambda: self._closed, pause)
            pause = min(30.0, pause * 2)

    def _started(self) -> subprocess.Popen[str] | None:
        with self._condition:
            if self._closed:
                return None
            log = self._open_log()
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    encoding="utf-8",
                    env=child_environment() | {"OMP_NUM_THREADS": "1"},
                )
            except OSError as error:
                self._hear(PreviewEnded(error.errno or 1, again=False))
                return None
            finally:
                if log >= 0:
                    os.close(log)
            self._condition.notify_all()
            return self._process

    def _log_size(self) -> int:
        with contextlib.suppress(OSError):
            return self._log.stat().st_size if self._log is not None else 0
        return 0

    def _last_words(self, begins_at: int) -> str:
        """The last line in the log beyond a place; "" without one."""
        if self._log is not None:
            with contextlib.suppress(OSError), self._log.open("rb") as file:
                file.seek(max(begins_at, self._log_size() - 4096))
                lines = file.read().decode(errors="replace").split("\n")
                return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def _open_log(self) -> int:
        """A descriptor of its own: the UI's 1 and 2 belong to whatever trains."""
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.parent.mkdir(parents=True, exist_ok=True)
                return os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return os.open(os.devnull, os.O_WRONLY)

    def _send(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or (self._pending and self._process is not None))
                if self._closed:
                    return
                stage = min(self._pending, key=lambda stage: self._pending[stage][0])
                due, request = self._pending[stage]
                early = due - time.monotonic()
                if early > 0:
                    self._condition.wait(early)
                    continue
                process = self._process
                del self._pending[stage]
            if process is None or process.stdin is None:
                continue
            # Outside the lock: a process that does not read must not stop the UI from asking.
            with contextlib.suppress(OSError, ValueError):
                process.stdin.write(to_line(request))
                process.stdin.flush()


def _close(process: subprocess.Popen[str]) -> None:
    """Close the pipes of a process that has ended; what it was still to be asked is of no use to anyone."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


class PreviewHeard(Message):
    """The preview process said something."""

    def __init__(self, reply: Reply | PreviewEnded) -> None:
        super().__init__()
        self.reply = reply
