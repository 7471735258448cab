"""Leaving the workbench: what becomes of a training, and how nothing is ever waited for without a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.tui.files import unless_unsaved
from workbench.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench

STOP, BACKGROUND, ABANDON, LOST = "stop", "background", "abandon", "lost"


def leave(app: Workbench) -> None:
    """Ask what has to be asked, then leave. Asked again while a checkpoint is being saved, offer the way out."""
    if app.leaving:
        _wait(app)
    else:
        unless_unsaved(app, "quit", lambda: _training(app))


def _training(app: Workbench) -> None:
    if app.training is None or not app.training.alive:
        app.exit("")
        return

    def answered(answer: str | None) -> None:
        if answer in (STOP, BACKGROUND) and app.training is not None:
            app.leaving = answer
            app.training.control.stop()
            _wait(app)

    name = app.training.run.name if app.training.run else "A run"
    answers = [(STOP, "Stop at a checkpoint and quit"), (BACKGROUND, "Go on in the background and quit")]
    app.push_screen(ConfirmScreen("A run is being trained", f"{name} is being trained here.", answers), answered)


def _wait(app: Workbench) -> None:
    """:func:`go_if_stopped` leaves when the training has ended; this is the way out if it takes too long."""

    def answered(answer: str | None) -> None:
        if answer == ABANDON:
            app.exit(ABANDON)

    question = "The run finishes its step and saves a checkpoint; then the workbench closes."
    answers = [(ABANDON, "Quit now, losing the steps since the last checkpoint")]
    app.push_screen(ConfirmScreen("Stopping…", question, answers, cancel="Wait"), answered)


def go_if_stopped(app: Workbench) -> None:
    """Leave if that is all that was waited for; a timer calls this."""
    if app.leaving and (app.training is None or not app.training.alive):
        app.exit(app.leaving)
