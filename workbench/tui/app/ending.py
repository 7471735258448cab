"""A run that ended says so: by the terminal's bell, a notification of the desktop, a command of the user's."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping

from workbench.events import Finished
from workbench.filesystem import absolute
from workbench.format import percent
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory
from workbench.settings import Screens
from workbench.tui.app.recipe_app import RecipeApp
from workbench.tui.common.background import aside
from workbench.tui.run.tracking import Tracked
from workbench.visible import shortened, visible

LONG = 60.0
"""Seconds of a run after which somebody may have looked away."""

TOLD = ("finished", "diverged", "failed", "lost")
"""Ends that the bell tells of; one that was asked for is no news."""

SPEAKS = {"foot": "777", "rxvt-unicode": "777", "xterm-ghostty": "9", "xterm-kitty": "9", "wezterm": "9"}
PROGRAMS = {"iTerm.app": "9", "WezTerm": "9", "ghostty": "9"}
"""Which sequence a terminal makes a notification of, by its TERM and TERM_PROGRAM. SSH hands only TERM on."""


class EndingApp(RecipeApp):
    """Tells of each end of a run once, whether it was trained here or followed on the Run screen.

    now: seconds since 1970.
    """

    now: Callable[[], float]
    _ends_told: frozenset[tuple[str, float]] = frozenset()

    def followed_run_ended(self, tracked: Tracked) -> None:
        """The run on the Run screen has ended before our eyes."""
        ended = tracked.view.ended
        result = f", test {percent(ended.test_accuracy)}" if isinstance(ended, Finished) else ""
        self.tell_end(tracked.run, tracked.state, tracked.elapsed(self.now()), result)

    def tell_end(self, run: RunDirectory, state: str, seconds: float, result: str = "") -> None:
        """Tell whoever may have looked away that a run came to an end, after so many seconds. Twice is not told."""
        end = (run.name, run.created)
        if end in self._ends_told or not self.is_running:
            return
        self._ends_told |= {end}
        screens = self.settings.screens
        if state in TOLD and (seconds > LONG or not self.app_focus):
            if screens.bell:
                self.bell()
            self.command_terminal(notification(screens, f"{run.name} {state}{result}"))
        if screens.on_end:
            aside(
                self,
                "on_end",
                lambda: run_command(screens.on_end, run, state),
                failed=lambda error: self.notify(str(error), severity="warning"),
            )


def notification(screens: Screens, text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The sequence by which a terminal tells the desktop something; "" where it is not known to understand one."""
    kind: str = screens.notify
    if kind == "auto":
        term = environment.get("TERM", "")
        kind = PROGRAMS.get(environment.get("TERM_PROGRAM", "")) or SPEAKS.get(term.partition("-256")[0], "off")
    said = visible(shortened(text, 200), keep="").replace(";", ",")
    if kind == "off":
        return ""
    return f"\x1b]9;workbench: {said}\x1b\\" if kind == "9" else f"\x1b]777;notify;workbench;{said}\x1b\\"


def run_command(command: str, run: RunDirectory, state: str) -> None:
    """Run a user's command in the shell and wait for it, in a thread where nobody waits. Raises RunError if it failed.

    It is told of the run in WORKBENCH_RUN (the directory) and WORKBENCH_STATE; it has no terminal, so that it can
    neither draw nor ask.
    """
    told = {"WORKBENCH_RUN": str(absolute(run.path)), "WORKBENCH_STATE": state}
    with tempfile.TemporaryFile() as words:
        try:
            code = subprocess.run(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env={**os.environ, **told},
                start_new_session=True,
                check=False,
            ).returncode
        except (OSError, ValueError) as error:
            raise RunError(f"on_end in [screens] cannot be started: {error}") from error
        if code:
            words.seek(max(0, words.seek(0, os.SEEK_END) - 2000))
            lines = words.read().decode(errors="replace").strip().splitlines()
            raise RunError(f"on_end in [screens] ended with code {code}{f': {lines[-1]}' if lines else ''}")
