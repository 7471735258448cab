"""Ctrl-Z: back to the shell for a while. It stops a training too, so that is asked about first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from workbench.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench

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
