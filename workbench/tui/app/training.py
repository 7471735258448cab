"""The run that this process trains, on a thread that never waits for the UI, and the queue that begins the next."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from textual.message import Message

from workbench.control import Control
from workbench.runs.errors import RunError
from workbench.runs.launch import detach
from workbench.runs.queue import jobs
from workbench.runs.queue.held_devices import ANY, LiveRuns, gpu_numbers, holders
from workbench.runs.queue.worker import ensure_worker
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import read_status, summary
from workbench.tui.app.descriptors import Descriptors
from workbench.tui.common.background import start_thread
from workbench.tui.common.services import Settings

Execute = Callable[..., str]


class Training:
    """A run that is made or taken up, and trained in a thread of its own.

    Not a Textual worker: leaving would wait for it, and processes forked from one end with 1. What the run has to say
    stands in its directory. ``state`` is what execute() returned, None while it works; ``error`` is set where it could
    not even begin, or broke.
    """

    def __init__(
        self,
        create: Callable[[], RunDirectory],
        hear: Callable[[Training], object],
        *,
        device: str,
        data_root: Path,
        resume: bool = False,
        descriptors: Descriptors | None = None,
        execute: Execute | None = None,
    ) -> None:
        self.run: RunDirectory | None = None
        self.control = Control()
        self.state: str | None = None
        self.error = ""
        self._create = create
        self._hear = hear
        self.device = device
        self._data_root = data_root
        self._resume = resume
        self._descriptors = descriptors
        self._execute = execute
        self._begun = 0.0
        self._thread = threading.Thread(target=self._work, daemon=True, name="training")

    def start(self) -> None:
        """Begin. ``hear`` is called in the thread when the run's directory exists and once more at the end.

        However this process comes to its end, it waits for a checkpoint first: a thread that is inside torch when the
        interpreter goes away aborts the process.
        """
        atexit.register(self.stop_and_join)
        self._begun = time.monotonic()
        self._thread.start()

    def stop_and_join(self) -> None:
        """Ask for an end at a checkpoint and wait for it."""
        self.control.stop()
        self.join()

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._begun

    @property
    def alive(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def _work(self) -> None:
        try:
            self.run = self._create()
            self._hear(self)
            if self._descriptors is not None:
                self._descriptors.point_at(self.run.log_file)
            execute = self._execute or _execute()
            self.state = execute(
                self.run, device=self.device, data_root=self._data_root, resume=self._resume, control=self.control
            )
        except RunError as error:
            self.error, self.state = str(error), "failed"
        except BaseException as error:  # nobody above would hear it
            self.error, self.state = f"{type(error).__name__}: {error}", "failed"
            traceback.print_exc()
        finally:
            if self._descriptors is not None:
                self._descriptors.point_back()
            self._hear(self)
            atexit.unregister(self.stop_and_join)


def _execute() -> Execute:
    """The engine's own, which imports torch: in this thread, and not before."""
    from workbench.runs.training.execute import execute

    return execute


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
