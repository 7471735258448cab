"""Leaving the workbench, for good or for a while: what becomes of a training, and always a way out of a wait."""

from __future__ import annotations

import contextlib
import os

from workbench.runs.errors import RunError
from workbench.runs.queue.jobs import hold
from workbench.storage.locks import Claim
from workbench.tui.app.training_app import TrainingApp
from workbench.tui.common import clipboard
from workbench.tui.common.background import start_thread
from workbench.tui.common.screens import ConfirmScreen

STOP, BACKGROUND, ABANDON, LOST = "stop", "background", "abandon", "lost"
QUIT, SUSPEND = "quit", "suspend"


class LeavingApp(TrainingApp):
    """leaving: what becomes of the training, once that is decided; "" before. It is also what the app returns then.

    queue_hold: keeps queued runs from the device of a training that is to go on in the background.
    """

    leaving = ""
    queue_hold: Claim | None = None

    def action_leave(self) -> None:
        """Ask what has to be asked, then leave. Asked again while a checkpoint is being saved, offer the way out."""
        if self.leaving:
            self._wait_for_training()
        else:
            self.unless_unsaved("quit", self._leave_training)

    def action_interrupt(self) -> None:
        """Ctrl-C: copy what is selected, else leave, but never without a question."""
        if text := self.screen.get_selected_text():
            clipboard.send(self, text)
            self.notify("copied")
            return
        if self.leaving or self.editor.unsaved or self.trains:
            self.action_leave()
            return

        def answered(answer: str | None) -> None:
            if answer == QUIT:
                self.action_leave()

        question = "Nothing is being trained here, and nothing is unsaved."
        self.push_screen(ConfirmScreen("Quit the workbench?", question, [(QUIT, "Quit")]), answered)

    def _leave_training(self) -> None:
        if self.training is None or not self.training.alive:
            self.exit("")
            return

        def answered(answer: str | None) -> None:
            if answer in (STOP, BACKGROUND) and self.training is not None:
                self.leaving = answer
                if answer == BACKGROUND:
                    start_thread("stopping", self._hold_queue_and_stop)
                else:
                    self.training.control.stop()
                self._wait_for_training()

        name = self.training.run.name if self.training.run else "A run"
        answers = [(STOP, "Stop at a checkpoint and quit"), (BACKGROUND, "Go on in the background and quit")]
        question = f"{name} is being trained here."
        self.push_screen(ConfirmScreen("A run is being trained", question, answers, loses={STOP}), answered)

    def _hold_queue_and_stop(self) -> None:
        """Stop the training, after seeing that no queued run takes its device before it goes on in the background."""
        with contextlib.suppress(OSError, RunError):  # what cannot be held has no queue that could start anything
            self.queue_hold = hold(self.settings.runs)
        if self.training is not None:
            self.training.control.stop()

    def _wait_for_training(self) -> None:
        """:meth:`leave_if_stopped` leaves when the training has ended; this is the way out if it takes too long."""

        def answered(answer: str | None) -> None:
            if answer == ABANDON:
                self.exit(ABANDON)

        question = "The run finishes its step and saves a checkpoint; then the workbench closes."
        answers = [(ABANDON, "Quit now, losing the steps since the last checkpoint")]
        self.push_screen(ConfirmScreen("Stopping…", question, answers, cancel="Wait", loses={ABANDON}), answered)

    def leave_if_stopped(self) -> None:
        """Leave if that is all that was waited for; a timer calls this."""
        if self.leaving and not self.trains:
            self.exit(self.leaving)

    def training_ended(self) -> None:
        """It may be all that leaving has waited for."""
        self.leave_if_stopped()

    def action_suspend(self) -> None:
        """Ctrl-Z: back to the shell, if there is one. It stops a training too, so that is asked about."""
        if self.settings.in_browser or not shell_waits():
            self.notify(
                "There is no shell behind this terminal that could bring the workbench back.", severity="warning"
            )
            return
        if not self.trains:
            self.action_suspend_process()
            return

        def answered(answer: str | None) -> None:
            if answer == SUSPEND:
                self.action_suspend_process()

        question = (
            "Suspending freezes the training too, until fg brings it back. "
            "To have the shell while it goes on, quit (q) and let it go on in the background."
        )
        self.push_screen(ConfirmScreen("Suspend?", question, [(SUSPEND, "Suspend anyway")], loses={SUSPEND}), answered)


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
