"""The queue as the app uses it: handing a run over, finding a free device, telling what the queue began."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from textual.message import Message

from workbench.runs.errors import RunError
from workbench.runs.launch import detach
from workbench.runs.queue import jobs
from workbench.runs.queue.held_devices import ANY, LiveRuns, gpu_numbers, holders
from workbench.runs.queue.worker import ensure_worker
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import read_status, summary
from workbench.tui.common.background import start_thread
from workbench.tui.common.services import Settings

LOOK_AFTER_TURNS = 30
"""Turns after which the watcher sees again that something looks after the queue."""


class QueueMoved(Message):
    """The queue began a run, could not begin one, or goes on; one line for the user."""

    def __init__(self, text: str, run: RunDirectory | None = None, *, failed: bool = False) -> None:
        super().__init__()
        self.text = text
        self.run = run
        self.failed = failed


def free_device(root: Path) -> str:
    """A GPU that no run in the folder holds; "" for none. Asks the driver: not for the UI's thread."""
    held = holders(LiveRuns(root).find())
    free = [name for number in gpu_numbers() if (name := f"cuda:{number}") not in held]
    return free[0] if free and ANY not in held else ""


def device_used(run: RunDirectory | None) -> str:
    """The device that a run says it uses; "" where it says nothing."""
    status = read_status(run) if run is not None else None
    return status.device if status is not None else ""


def begin_apart(make: Callable[[], RunDirectory], device: str, settings: Settings) -> tuple[RunDirectory, int]:
    """Make a run and begin it in a process of its own; returns both. Not for the UI's thread. Raises RunError."""
    try:
        run = make()
        return run, detach(run, device, settings.data_root, run.started(), settings.plugins)
    except OSError as error:
        raise RunError(str(error)) from error


def hand_over(make: Callable[[], RunDirectory], device: str, settings: Settings, *, queued: bool) -> str:
    """Make a run and queue it, or begin it in a process of its own; returns a line for the user. Raises RunError.

    Not for the UI's thread: the run's directory holds what git says about the folder, for instance.
    """
    if not queued:
        run, _ = begin_apart(make, device, settings)
        return f"{run.name} begins on {device}, in the background."
    try:
        run = make()
        place = jobs.add(run, device, settings.data_root, settings.plugins)
        ensure_worker(run.path.parent)
    except OSError as error:
        raise RunError(str(error)) from error
    return f"{run.name} is queued, place {place}."


class QueueWatcher:
    """Sees, in a thread, that something looks after the queue, and says which runs it began or could not begin."""

    def __init__(self, root: Path, hear: Callable[[QueueMoved], object], interval: float) -> None:
        self._root = root
        self._hear = hear
        self._interval = interval
        self._waiting: dict[str, RunDirectory] = {}
        self._over = threading.Event()

    def start(self) -> None:
        """Begin."""
        start_thread("watching the queue", self._work)

    def stop(self) -> None:
        """Let the thread end; does not wait for it."""
        self._over.set()

    def look(self) -> None:
        """Look once."""
        waiting = {entry.run.name: entry.run for entry in jobs.entries(self._root)}
        for name in self._waiting.keys() - waiting.keys():
            found = summary(self._waiting[name])
            if found.status is not None and found.status.pid:  # it has a process, or had one
                self._hear(QueueMoved(f"{name} begins: its turn in the queue.", self._waiting[name]))
            elif found.state == "failed" and found.status is not None:
                self._hear(QueueMoved(f"{name} could not begin: {found.status.message}", failed=True))
        self._waiting = waiting

    def _work(self) -> None:
        turn = 0
        while not self._over.is_set():
            with contextlib.suppress(OSError, RunError):
                if turn % LOOK_AFTER_TURNS == 0 and ensure_worker(self._root) and turn == 0:
                    self._hear(QueueMoved("Queued runs had nobody to start them; the queue goes on now."))
                self.look()
            turn += 1
            self._over.wait(self._interval)
