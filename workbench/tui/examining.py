"""Looking the machine over from the screens: ``workbench doctor`` in a process of its own, heard line by line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter

from workbench.doctor import terminal
from workbench.doctor.finding import Finding
from workbench.filesystem import absolute
from workbench.tui.child import Child
from workbench.tui.messages import WorkDone

if TYPE_CHECKING:
    from textual.app import App

    from workbench.tui.workbench_app import Workbench

COMMAND = (sys.executable, "-P", "-m", "workbench", "doctor", "--json-lines")

_FINDINGS = TypeAdapter(list[Finding])


@dataclass(frozen=True)
class Heard:
    """A group of findings, or, with ``over``, that there are no more; error: why the process ended before its time."""

    findings: tuple[Finding, ...] = ()
    over: bool = False
    error: str = ""


class Examination(Child):
    """One of them. ``hear`` is called in a thread; the last that it hears is over."""

    def __init__(
        self, command: Sequence[str], own: Callable[[], list[Finding]], hear: Callable[[Heard], object]
    ) -> None:
        super().__init__()
        self._command = list(command)
        self._own = own
        self._hear = hear

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._work, daemon=True, name="doctor").start()

    def _work(self) -> None:
        try:
            error = self._follow()
        except OSError as problem:
            error = f"workbench doctor cannot be started: {problem.strerror or problem}"
        self._hear(Heard(over=True, error="" if self.stopped else error))

    def _follow(self) -> str:
        for line in self.lines(self._command):
            if (findings := read_line(line)) is None:
                continue
            ours = bool(findings) and findings[0].group == terminal.GROUP
            self._hear(Heard(tuple(self._own() if ours else findings)))
        code = self.wait()
        return "" if code in (0, 3) else f"workbench doctor ended with code {code}"


def read_line(line: str) -> list[Finding] | None:
    """The findings of a line of ``workbench doctor --json-lines``; None for anything else."""
    try:
        return _FINDINGS.validate_python(json.loads(line)["findings"])
    except (ValueError, KeyError, TypeError):
        return None


def examine(app: App[Any]) -> None:
    """Show the report as it comes, over whatever is in front."""
    from workbench.tui.screens.doctor import DoctorScreen

    workbench = cast("Workbench", app)
    settings, size = workbench.settings, app.size
    seen = terminal.variables(os.environ)

    def own() -> list[Finding]:
        """The terminal's: the other process has none. It cannot be asked anything while the screens have it."""
        around = None
        if "TMUX" in os.environ:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                around = terminal.tmux()
        return terminal.judge(terminal.Terminal(True, size.width, size.height, seen, around))

    options = ["--runs", str(absolute(settings.runs)), "--data-root", str(absolute(settings.data_root))]
    screen = DoctorScreen()
    examination = Examination(
        [*workbench.doctor_command, *options, "--device", workbench.device],
        own,
        lambda heard: app.post_message(WorkDone(lambda: screen.hear(heard))),
    )
    app.push_screen(screen, lambda _: examination.stop())
    examination.start()
