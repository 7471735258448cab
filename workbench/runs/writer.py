"""Writing a run: its events as they happen, its status, its heartbeat; and hearing what others ask of it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from workbench.control import Control
from workbench.events import (
    Continued,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    Resumed,
    RunStarted,
    Stopped,
    Trained,
    to_json,
)
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.files import Claim, cannot_write
from workbench.runs.machine import Sampler
from workbench.runs.reader import read_events
from workbench.runs.requests import PROFILE_SECONDS, take_requests
from workbench.runs.status import Status, going_on, new_status, read_status, write_status

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 2.0

STATES: dict[type[Event], str] = {
    Paused: "paused",
    Continued: "running",
    Finished: "finished",
    Stopped: "stopped",
    Diverged: "diverged",
    Failed: "failed",
}
"""Events that change a run's state; those that end it are flushed to the disk."""

ENDS = (Finished, Stopped, Diverged, Failed)


class RunWriter:
    """The one writer of a run, as a context manager; entering raises RunError if another one has it.

    control: where requests from other processes go. A thread of its own looks for them once a second, renews the
    status and samples the machine, so that nothing of it disturbs or depends on the thread that trains.
    """

    def __init__(self, run: RunDirectory, control: Control | None = None) -> None:
        self.run = run
        self.control = control or Control()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._file = -1
        self._torn = False
        self._changed = False
        self._beat = 0.0
        self._sampler = Sampler(run)

    def __enter__(self) -> Self:
        try:
            self._claim = Claim(self.run.lock_file)
        except OSError as error:
            raise cannot_write(self.run.path, error) from error
        if not self._claim.take():
            self._claim.give_back()
            raise RunError(_taken(self.run))
        try:
            self._file = os.open(self.run.events_file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            _cut_torn_line(self._file)
            self.status = going_on(self.run, new_status("running"))
            self._write_status()
        except BaseException as error:
            self._close()
            if isinstance(error, OSError):
                raise cannot_write(self.run.events_file, error) from error
            raise
        self._thread = threading.Thread(target=self._keep_alive, name=f"heartbeat of {self.run.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5)
        if self.status.state in ("running", "paused"):
            reason = f" ({kind.__name__})" if kind else ""
            message = f"ended without a last event{reason}; it can go on from its last checkpoint"
            self.status = dataclasses.replace(self.status, state="lost", message=message)
        with contextlib.suppress(OSError, RunError):  # the events are the truth; an error of theirs was raised already
            take_requests(self.run)
            self._write_status()
        self._close()

    def write(self, event: Event) -> None:
        """Append an event and bring the status up to date. Raises RunError where the disk is full or gone."""
        line = to_json(event).encode() + b"\n"
        try:
            self._append(b"\n" + line if self._torn else line)
            if isinstance(event, ENDS):
                os.fsync(self._file)
        except OSError as error:
            self._torn = True
            raise cannot_write(self.run.events_file, error) from error
        self._torn = False
        with self._guard:
            self.status = _after(self.status, event)
            self._changed = True
        if isinstance(event, Resumed):
            self._look_back(event)
        if type(event) in STATES or isinstance(event, RunStarted):
            self._write_status()

    def _append(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def _look_back(self, resumed: Resumed) -> None:
        """Put back the results that hold after a withdrawal."""
        with self._guard:
            status = dataclasses.replace(self.status, test_accuracy=None, test_loss=None, best=None, step=resumed.step)
            for event in read_events(self.run):
                if isinstance(event, Evaluated):
                    status = _after(status, event)
            self.status = status

    def _write_status(self) -> None:
        with self._guard:
            self._beat = time.time()
            self._changed = False
            self.status = dataclasses.replace(self.status, heartbeat=self._beat)
            write_status(self.run, self.status)

    def _keep_alive(self) -> None:
        asked_since = _process_birth()
        while not self._over.is_set():
            with contextlib.suppress(OSError, RunError):  # a full disk now may have room again in two seconds
                for action in take_requests(self.run, asked_since):
                    self._forward(action)
                if self._changed or time.time() - self._beat >= HEARTBEAT_SECONDS - 0.1:
                    self._write_status()
            self._sampler.sample(self.status.device, self.status.step)
            self._over.wait(POLL_SECONDS)

    def _forward(self, action: str) -> None:
        answers: dict[str, Callable[[], None]] = {
            "stop": self.control.stop,
            "pause": self.control.pause,
            "continue": self.control.go_on,
            "checkpoint": self.control.checkpoint,
            "profile": lambda: self.control.measure("phases", PROFILE_SECONDS),
            "stacks": lambda: self.control.measure("stacks"),
            "trace": lambda: self.control.measure("trace"),
        }
        answers[action]()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._claim.give_back()


def _after(status: Status, event: Event) -> Status:
    """The status that an event leads to."""
    change = dataclasses.replace
    if type(event) in STATES:
        status = change(status, state=STATES[type(event)])
    if isinstance(event, RunStarted):
        status = change(status, steps=event.steps, device=event.device, seed=event.seed)
    elif isinstance(event, Trained):
        status = change(
            status,
            epoch=event.epoch,
            loss=_finite(event.loss),
            accuracy=_finite(event.accuracy),
            images_per_second=_finite(event.images_per_second),
        )
    elif isinstance(event, Evaluated) and event.split == "test":
        status = change(status, test_accuracy=_finite(event.accuracy), test_loss=_finite(event.loss))
    elif isinstance(event, Evaluated):
        status = change(status, best=max(status.best or 0.0, event.accuracy))
    elif isinstance(event, Failed):
        status = change(status, message=event.error)
    elif isinstance(event, Diverged):
        status = change(status, message=event.reason)
    seconds = event.seconds if isinstance(event, Trained | Evaluated | Finished) else status.seconds
    return change(status, step=getattr(event, "step", status.step), seconds=_finite(seconds))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _cut_torn_line(file: int) -> None:
    """Drop what a killed writer left of its last line, so that the next event starts on a line of its own."""
    end = os.fstat(file).st_size
    kept = start = end
    while kept == start > 0:  # no line break so far: look further back
        start = max(0, kept - 65536)
        kept = start + os.pread(file, kept - start, start).rfind(b"\n") + 1
    if kept < end:
        os.ftruncate(file, kept)


def _process_birth() -> float:
    """When this process started, in seconds since 1970; requests from before were meant for an earlier one."""
    import psutil

    try:
        return float(psutil.Process().create_time()) - 1.0
    except psutil.Error:
        return 0.0


def _taken(run: RunDirectory) -> str:
    status = read_status(run)
    who = f"process {status.pid} on {status.host}" if status and status.pid else "another process"
    return f"run '{run.name}' is being trained by {who}; follow it with: workbench watch {run.name}"
