"""The queue as the screens use it: queueing beside a training, starting on another device, telling what began."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.runs import queue
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.launch import detach
from workbench.runs.listing import summary
from workbench.runs.occupancy import ANY, LiveRuns, gpu_numbers, holders
from workbench.runs.status import read_status
from workbench.runs.worker import ensure_worker
from workbench.tui.common.dialogs import ConfirmScreen
from workbench.tui.common.messages import DeviceFree, QueueMoved, RunSent

if TYPE_CHECKING:
    from workbench.tui.app.workbench import Workbench

Make = Callable[[], RunDirectory]
QUEUE, BESIDE = "queue", "beside"
LOOK_AFTER_TURNS = 30
"""Turns after which the watcher sees again that something looks after the queue."""


def offer(app: Workbench, make: Make) -> None:
    """A run is wanted while another one is trained here: ask, at once, and find out where else it could be trained.

    Queue the run, train it on another device, or neither. No second training in this process.
    """
    training = app.training.run if app.training is not None else None
    name = training.name if training is not None else "the present run"
    question = f"{name} is being trained here. A queued run waits for it, and trains even if this terminal is closed."
    dialog = ConfirmScreen("A run is being trained", question, [(QUEUE, "Queue it: it begins when its device is free")])
    other = ""

    def look() -> None:
        nonlocal other
        held = holders(LiveRuns(app.settings.runs).find())
        free = [name for number in gpu_numbers() if (name := f"cuda:{number}") not in held]
        if free and ANY not in held:
            other = free[0]
            app.post_message(DeviceFree(dialog, other))

    def used() -> str:
        status = read_status(training) if training is not None else None
        return (status.device if status is not None else "") or app.device

    def answered(answer: str | None) -> None:
        if answer == QUEUE:
            _send(app, make, used, queued=True)
        elif answer == BESIDE:
            _send(app, make, lambda: other, queued=False)

    app.push_screen(dialog, answered)
    threading.Thread(target=look, daemon=True, name="devices").start()


def seen(message: DeviceFree) -> None:
    """Offer the other device too, if the question is still asked."""
    message.dialog.offer(BESIDE, f"Train it now on {message.device}, in the background")


def _send(app: Workbench, make: Make, device: Callable[[], str], *, queued: bool) -> None:
    """Make a run and hand it over, in a thread: its directory holds what git says about the folder, for instance."""
    settings = app.settings

    def work() -> None:
        try:
            run = make()
            if queued:
                place = queue.add(run, device(), settings.data_root, settings.plugins)
                ensure_worker(run.path.parent)
                app.post_message(RunSent(f"{run.name} is queued, place {place}."))
            else:
                detach(run, device(), settings.data_root, run.started(), settings.plugins)
                app.post_message(RunSent(f"{run.name} begins on {device()}, in the background."))
        except (OSError, RunError) as error:
            app.post_message(RunSent(str(error), failed=True))

    threading.Thread(target=work, daemon=True, name="sending a run").start()


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
        threading.Thread(target=self._work, daemon=True, name="watching the queue").start()

    def stop(self) -> None:
        """Let the thread end; does not wait for it."""
        self._over.set()

    def look(self) -> None:
        """Look once."""
        waiting = {entry.run.name: entry.run for entry in queue.entries(self._root)}
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


def moved(app: Workbench, message: QueueMoved) -> None:
    """Tell it, unless the Run screen shows it anyway."""
    if app.tracked is not None and app.tracked.run == message.run:
        app.tracked.hurry()
    elif app.is_running:
        app.notify(message.text, severity="error" if message.failed else "information")
