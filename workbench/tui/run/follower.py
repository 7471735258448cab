"""Reads a run's directory, and its baseline's curves, in a thread: a slow disk never holds the screen up."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from dataclasses import dataclass

from workbench.events import Event
from workbench.profiling.saved import Saved, SavedReader
from workbench.runs.find.listing import holds_run
from workbench.runs.queue import jobs
from workbench.runs.queue.held_devices import LiveRuns
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventReader
from workbench.runs.store.machine import MachineReader, Sample
from workbench.runs.store.notes import baseline
from workbench.runs.store.status import Status, effective_state, read_status
from workbench.storage.regular import open_regular
from workbench.tui.common.background import start_thread
from workbench.tui.run.view import RunView


@dataclass(frozen=True)
class Pinned:
    """The run that is pinned, as it stood when it was read; "" and None where there is none but the one on screen."""

    name: str = ""
    view: RunView | None = None


class PinnedReader:
    """Reads the run that is pinned in a run's folder, again when another one is."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._name = ""

    def read_new(self) -> Pinned | None:
        """What is pinned now; None if nothing changed."""
        name = baseline(self._run.path.parent)
        name = "" if name == self._run.name else name
        if name == self._name:
            return None
        self._name = name
        if not name:
            return Pinned()
        view = RunView()
        view.feed(EventReader(RunDirectory(self._run.path.parent / name)).read()[0])
        view.loss.smoothed()
        view.accuracy.smoothed()
        return Pinned(name, view)


log = logging.getLogger(__name__)

LOG_TAIL = 16_384
"""Bytes of log.txt that are read at most in one go."""


@dataclass(frozen=True)
class Waiting:
    """A place in the queue, from 1, and what the run there waits for."""

    place: int
    what: str


@dataclass(frozen=True)
class Reading:
    """What was new. ``fresh``: a new view of all that counts now, from the first event on; earlier ones are withdrawn.

    It is made in the follower's thread, for a long history takes seconds; events and samples are in it already.
    problem: why the run's events cannot be read, "" if they can. pinned: the baseline, when it is another one.
    """

    events: list[Event]
    state: str
    status: Status | None
    log: list[str]
    machine: list[Sample]
    fresh: RunView | None = None
    waiting: Waiting | None = None
    saved: Saved | None = None
    problem: str = ""
    pinned: Pinned | None = None


class Follower:
    """Follows one run. The thread polls and leaves readings; whoever draws takes them with :meth:`take`."""

    def __init__(self, run: RunDirectory, interval: float = 1.0) -> None:
        self.run = run
        self.interval = interval
        self._reader = EventReader(run)
        self._live = LiveRuns(run.path.parent)
        self._machine = MachineReader(run)
        self._saved = SavedReader(run.profile)
        self._pinned = PinnedReader(run)
        self._readings: deque[Reading] = deque()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._left_out = ""
        self._log_at: int | None = None
        self._log_rest = b""

    def start(self) -> None:
        """Start the thread; the first reading follows at once."""
        start_thread(f"following {self.run.name}", self._work)

    def stop(self) -> None:
        """Let the thread end; does not wait for it."""
        self._stop.set()
        self._wake.set()

    def hurry(self) -> None:
        """Read now instead of at the next turn."""
        self._wake.set()

    def take(self) -> list[Reading]:
        """All readings since the last call."""
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._readings.popleft())
        return found

    def poll(self) -> None:
        """Read what is new and leave it."""
        events, fresh = self._reader.read()
        if fresh:
            self._machine = MachineReader(self.run)
        status, lines = read_status(self.run), self._new_log()
        state = effective_state(status)
        problem, left_out = self._reader.blocked, self._reader.left_out
        if holds_run(self.run.path) is False:
            state, problem = "lost", f"{self.run.path}: is gone: deleted, renamed or replaced"
        if left_out != self._left_out:
            self._left_out = left_out
            lines += [left_out] if left_out else []
        samples = self._machine.read_new()
        view = None
        if fresh:
            view = RunView()
            view.feed(events)
            view.feed_machine(samples)
            view.loss.smoothed()
            view.accuracy.smoothed()
        waiting, saved = self._waiting(state, status), self._saved.read_new()
        pinned = self._pinned.read_new()
        self._readings.append(Reading(events, state, status, lines, samples, view, waiting, saved, problem, pinned))

    def _waiting(self, state: str, status: Status | None) -> Waiting | None:
        if state != "queued" or (status is not None and status.pid):
            return None
        entries = jobs.entries(self.run.path.parent)
        for number, entry in enumerate(entries):
            if entry.run.name == self.run.name:
                return Waiting(entry.place, jobs.waits_for(entry, self._live.find(), entries[:number]))
        return None

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
            except OSError:
                pass
            except Exception:  # whatever stands in the directory: the next look may find it mended
                log.exception("%s could not be read", self.run.name)
            self._wake.wait(self.interval)
            self._wake.clear()

    def _new_log(self) -> list[str]:
        """Complete new lines of log.txt; of a long one only the tail."""
        try:
            size = self.run.log_file.stat().st_size
            if self._log_at is None or size < self._log_at or size - self._log_at > LOG_TAIL:
                self._log_at, self._log_rest = max(0, size - LOG_TAIL), b""
            if size == self._log_at:
                return []
            descriptor = open_regular(self.run.log_file)
            try:
                data = os.pread(descriptor, size - self._log_at, self._log_at)
            finally:
                os.close(descriptor)
        except OSError:
            return []
        self._log_at += len(data)
        *lines, self._log_rest = (self._log_rest + data).split(b"\n")
        return [text for line in lines if (text := line.decode("utf-8", "replace").rsplit("\r", 1)[-1].rstrip())]
