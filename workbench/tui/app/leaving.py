"""Leaving the workbench: what becomes of a training, and how nothing is ever waited for without a way out."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from workbench.runs.errors import RunError
from workbench.runs.queue import hold
from workbench.tui.app.recipe_app import unless_unsaved
from workbench.tui.common.dialogs import ConfirmScreen

if TYPE_CHECKING:
    from workbench.tui.app.workbench import Workbench

STOP, BACKGROUND, ABANDON, LOST = "stop", "background", "abandon", "lost"
QUIT = "quit"


def leave(app: Workbench) -> None:
    """Ask what has to be asked, then leave. Asked again while a checkpoint is being saved, offer the way out."""
    if app.leaving:
        _wait(app)
    else:
        unless_unsaved(app, "quit", lambda: _training(app))


def ask(app: Workbench) -> None:
    """Leave, but never without a question."""
    if app.leaving or app.editor.unsaved or (app.training is not None and app.training.alive):
        leave(app)
        return

    def answered(answer: str | None) -> None:
        if answer == QUIT:
            leave(app)

    question = "Nothing is being trained here, and nothing is unsaved."
    app.push_screen(ConfirmScreen("Quit the workbench?", question, [(QUIT, "Quit")]), answered)


def _training(app: Workbench) -> None:
    if app.training is None or not app.training.alive:
        app.exit("")
        return

    def answered(answer: str | None) -> None:
        if answer in (STOP, BACKGROUND) and app.training is not None:
            app.leaving = answer
            if answer == BACKGROUND:
                threading.Thread(target=_hold_and_stop, args=(app,), daemon=True, name="stopping").start()
            else:
                app.training.control.stop()
            _wait(app)

    name = app.training.run.name if app.training.run else "A run"
    answers = [(STOP, "Stop at a checkpoint and quit"), (BACKGROUND, "Go on in the background and quit")]
    question = f"{name} is being trained here."
    app.push_screen(ConfirmScreen("A run is being trained", question, answers, loses={STOP}), answered)


def _hold_and_stop(app: Workbench) -> None:
    """Stop the training, after seeing that no queued run takes its device before it goes on in the background."""
    with contextlib.suppress(OSError, RunError):  # what cannot be held has no queue that could start anything
        app.queue_hold = hold(app.settings.runs)
    if app.training is not None:
        app.training.control.stop()


def _wait(app: Workbench) -> None:
    """:func:`go_if_stopped` leaves when the training has ended; this is the way out if it takes too long."""

    def answered(answer: str | None) -> None:
        if answer == ABANDON:
            app.exit(ABANDON)

    question = "The run finishes its step and saves a checkpoint; then the workbench closes."
    answers = [(ABANDON, "Quit now, losing the steps since the last checkpoint")]
    app.push_screen(ConfirmScreen("Stopping…", question, answers, cancel="Wait", loses={ABANDON}), answered)


def go_if_stopped(app: Workbench) -> None:
    """Leave if that is all that was waited for; a timer calls this."""
    if app.leaving and (app.training is None or not app.training.alive):
        app.exit(app.leaving)


SUSPEND = "suspend"


def suspend(app: Workbench) -> None:
    """Suspend, after asking if a run is being trained here; say so where there is no shell to come back from."""
    if not shell_waits():
        app.notify("There is no shell behind this terminal that could bring the workbench back.", severity="warning")
        return
    if app.training is None or not app.training.alive:
        app.action_suspend_process()
        return

    def answered(answer: str | None) -> None:
        if answer == SUSPEND:
            app.action_suspend_process()

    question = (
        "Suspending freezes the training too, until fg brings it back. "
        "To have the shell while it goes on, quit (q) and let it go on in the background."
    )
    app.push_screen(ConfirmScreen("Suspend?", question, [(SUSPEND, "Suspend anyway")], loses={SUSPEND}), answered)


def shell_waits() -> bool:
    """Whether somebody in our session, outside our job, can continue us: a shell with job control."""
    import psutil

    try:
        for parent in psutil.Process().parents():
            if os.getsid(parent.pid) != os.getsid(0):
                return False
            if os.getpgid(parent.pid) != os.getpgid(0):
                return True
    except (OSError, psutil.Error):
        pass
    return False
