"""Writing a run: its events as they happen, its status, its heartbeat; and hearing what others ask of it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from workbench.control import Control
from workbench.events import CheckpointSaved, Event, Noted, Resumed, RunStarted
from workbench.runs.errors import CannotWrite, RunError, cannot_write
from workbench.runs.queue.worker import ensure_worker
from workbench.runs.store.control_file import PROFILE_SECONDS, take_requests
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventLog
from workbench.runs.store.history import read_history
from workbench.runs.store.machine import Sampler
from workbench.runs.store.status import (
    ENDS,
    STATES,
    Stage,
    after,
    going_on,
    new_status,
    read_status,
    write_status,
)
from workbench.runs.training.rescue import Anchor
from workbench.storage.locks import Claim

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 2.0

LEFT = "left at once, in the middle of a step; it goes on from its last checkpoint"
"""What the status of a run says that was not waited for."""

_open: set[RunWriter] = set()


class RunWriter:
    """The one writer of a run, as a context manager; entering raises RunError if another one has it.

    control: where requests from other processes go. A thread of its own looks for them once a second, renews the
    status, samples the machine and sees that the directory is still there, so that nothing of it disturbs or depends on
    the thread that trains. If the directory goes away, the run is asked to stop and ``run`` becomes another one beside
    it, with all that can be rescued; ``trouble`` says so in one line.
    """

    def __init__(self, run: RunDirectory, control: Control | None = None) -> None:
        self.run = run = RunDirectory(run.path.absolute())  # whatever becomes of the current folder
        self.control = control or Control()
        self.trouble = ""
        self.notices: list[str] = []
        self._guard = threading.RLock()
        self._over = threading.Event()
        self._claims: list[Claim] = []
        self._logs: list[EventLog] = []
        self._changed = False
        self._beat = 0.0
        self._saved: int | None = None
        self._sampler = Sampler(run)

    def __enter__(self) -> Self:
        try:
            claim = Claim(self.run.lock_file)
        except OSError as error:
            raise cannot_write(self.run.path, error) from error
        if not claim.take():
            claim.give_back()
            raise RunError(_taken(self.run))
        self._claims.append(claim)
        _open.add(self)
        try:
            self._logs.append(EventLog(self.run))
            self._anchor = Anchor(self.run, self._logs[-1].descriptor)
            self.status = going_on(self.run, new_status("running"))
            self._write_status()
            self._thread = threading.Thread(target=self._keep_alive, name=f"heartbeat of {self.run.name}", daemon=True)
            self._thread.start()
            return self
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                self.abandon()  # others may have read already that it runs
            self._close()
            if isinstance(error, OSError):
                raise cannot_write(self.run.events_file, error) from error
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._leave(kind)
        except KeyboardInterrupt:
            self.abandon()
            raise

    def _leave(self, kind: type[BaseException] | None) -> None:
        self._over.set()
        self._thread.join(timeout=5)
        if self.status.state in ("running", "paused"):
            if kind is not None and issubclass(kind, KeyboardInterrupt):
                self.status = dataclasses.replace(self.status, state="stopped", message=LEFT)
            else:
                reason = f" ({kind.__name__})" if kind else ""
                message = f"ended without a last event{reason}; it can go on from its last checkpoint"
                self.status = dataclasses.replace(self.status, state="lost", message=message)
        with contextlib.suppress(OSError, RunError):  # the events are the truth; an error of theirs was raised already
            take_requests(self.run, self.status)
            self._write_status()
        self._close()
        self._revive_queue()

    def write(self, event: Event) -> None:
        """Append an event and bring the status up to date. Raises CannotWrite where the disk is full or gone."""
        if isinstance(event, ENDS):
            self.look()  # what ends now would not be looked for any more
        if isinstance(event, Resumed) or (isinstance(event, CheckpointSaved) and event.file == "last.pt"):
            self._saved = event.step or None  # a run without a checkpoint goes on from its beginning
        ends = isinstance(event, ENDS)
        with self._guard:
            self.status = after(self.status, event)
            self._changed = True
            try:
                self._logs[-1].append(event, flush=ends)
            except CannotWrite:
                if ends:
                    self._write_status()
                raise
        if isinstance(event, Resumed):
            self._look_back(event)
        if type(event) in STATES or isinstance(event, RunStarted):
            self._write_status()

    def stage(self, name: str) -> None:
        """Say in the status what the run does now, before its first loss."""
        with self._guard:
            self.status = dataclasses.replace(self.status, stages=(*self.status.stages, Stage(name, time.time())))
        with contextlib.suppress(OSError, RunError):  # the events are what must be written
            self._write_status()

    def break_off(self, why: str) -> str:
        """Say in the status that the run stopped at its last checkpoint, and why; returns all of it in one line."""
        at = (
            f"at its last checkpoint (step {self._saved:,})"
            if self._saved is not None
            else "before its first checkpoint"
        )
        message = f"{why}; the run stopped {at}; go on with: workbench run --resume {self.run.path}"
        with self._guard:
            self.status = dataclasses.replace(self.status, state="stopped", message=message)
        with contextlib.suppress(OSError, RunError):
            self._write_status()
        return message

    def left(self) -> str:
        """What there is to go on from, as a clause."""
        return (
            "there is no checkpoint yet"
            if self._saved is None
            else f"its last checkpoint is good (step {self._saved:,})"
        )

    def abandon(self) -> None:
        """Say that the run was stopped, from any thread and at any moment, for a process that leaves at once."""
        self._over.set()
        status = getattr(self, "status", None)
        if not self._claims or status is None or status.state not in ("running", "paused"):
            return
        held = self._guard.acquire(timeout=0.5)  # by a thread that was interrupted, perhaps: then without
        try:
            self.status = dataclasses.replace(status, state="stopped", message=LEFT)
            with contextlib.suppress(OSError, RunError):
                write_status(self.run, self.status)
        finally:
            if held:
                self._guard.release()

    def look(self) -> None:
        """See whether the run's directory is still there; if not, rescue what can be and ask the run to stop."""
        with self._guard:
            if self.trouble or not (reason := self._anchor.gone()):
                return
            trouble = f"{self.run.path}: while it was being trained, the run's directory {reason}"
            try:
                self._move(self._anchor.rescue(), trouble)
            except (OSError, RunError) as error:
                self.trouble = f"{trouble}; {error}"
            self.control.stop()
            self.notices.append(f"{self.trouble}; the run stops")

    def _move(self, rescued: RunDirectory, trouble: str) -> None:
        """Go on writing in another directory; the old one, if it is only elsewhere, says where."""
        self.trouble = f"{trouble}; what it had is in {rescued.path}"
        if (old := self._anchor.path_now()) is not None:
            with contextlib.suppress(OSError, RunError):
                ended = dataclasses.replace(self.status, state="stopped", message=self.trouble)
                write_status(RunDirectory(old), ended)
        claim = Claim(rescued.lock_file)
        claim.take()
        self._claims.append(claim)
        self._logs.append(EventLog(rescued))
        self.run, self._sampler = rescued, Sampler(rescued)
        self._logs[-1].append(Noted(message=trouble))
        with contextlib.suppress(OSError, RunError):
            self._write_status()

    def _look_back(self, resumed: Resumed) -> None:
        """Put back the results that hold after a withdrawal, and say what could not be read."""
        history = read_history(self.run, self.notices.append)
        with self._guard:
            status = dataclasses.replace(self.status, test_accuracy=None, test_loss=None, best=None, step=resumed.step)
            for event in history.evaluations:
                status = after(status, event)
            self.status = status

    def _write_status(self) -> None:
        with self._guard:
            self._beat = time.monotonic()
            self._changed = False
            self.status = dataclasses.replace(self.status, heartbeat=time.time())
            write_status(self.run, self.status)

    def _keep_alive(self) -> None:
        revived = time.monotonic()
        while not self._over.is_set():
            with contextlib.suppress(OSError, RunError):  # a full disk now may have room again in two seconds
                self.look()
                for action in take_requests(self.run, self.status):
                    self._forward(action)
                due = time.monotonic() - self._beat >= HEARTBEAT_SECONDS - 0.1
                if (self._changed or due) and not self._over.is_set():
                    self._write_status()
            if time.monotonic() - revived >= HEARTBEAT_SECONDS - 0.1:
                self._revive_queue()
                revived = time.monotonic()
            self._sampler.sample(self.status.device, self.status.step)
            self._over.wait(POLL_SECONDS)

    def _revive_queue(self) -> None:
        """Whoever looked after the queue may have been killed: a run that is at work or ends sees to it."""
        with contextlib.suppress(OSError, RunError):
            ensure_worker(self.run.path.parent)

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
        _open.discard(self)
        while self._logs:
            self._logs.pop().close()
        if anchor := getattr(self, "_anchor", None):
            anchor.close()
        while self._claims:
            self._claims.pop().give_back()


def abandon_all() -> None:
    """Every run of this process says that it was stopped: the process leaves at once."""
    for writer in list(_open):
        writer.abandon()


def _taken(run: RunDirectory) -> str:
    status = read_status(run)
    who = f"process {status.pid} on {status.host}" if status and status.pid else "another process"
    return f"run '{run.name}' is being trained by {who}; follow it with: workbench watch {run.name}"
