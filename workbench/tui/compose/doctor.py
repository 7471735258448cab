"""Looking the machine over: ``workbench doctor`` in a process of its own, its report shown as it comes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from workbench.doctor import terminal
from workbench.doctor.finding import Finding, summary
from workbench.filesystem import absolute
from workbench.tui.common.background import Child, WorkDone, start_thread
from workbench.tui.common.screens import ReadingDialog
from workbench.tui.common.services import Settings
from workbench.tui.common.widgets import Text
from workbench.tui.compat.composed import when_ready
from workbench.visible import visible

if TYPE_CHECKING:
    from textual.app import App


MARKS = {"ok": ("✓", "$success"), "note": ("·", "$muted"), "warn": ("!", "$warning"), "broken": ("✗", "$error")}


class DoctorScreen(ReadingDialog):
    """Closes with any of the usual keys; what is to be done stands first."""

    BINDINGS = [
        Binding("escape,enter,q,d", "close", show=False),
        Binding("pagedown,ctrl+d,space", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._findings: list[Finding] = []
        self._over = False
        self._error = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog doctor") as dialog:
            dialog.border_title = "This machine"
            dialog.border_subtitle = "esc closes · workbench doctor --selftest tries the device"
            yield Text(classes="doctor--summary")
            with VerticalScroll(can_focus=False):
                yield Text(classes="doctor--findings")

    def on_mount(self) -> None:
        self._show()

    def hear(self, heard: Heard) -> None:
        """More was found, or all of it."""
        self._findings += heard.findings
        self._over, self._error = heard.over, heard.error
        self._show()

    @when_ready
    def _show(self) -> None:
        if self._error:
            text = Content.styled(f"✗ {visible(self._error, keep='')}", "$error")
        elif self._over:
            text = Content.styled(summary(self._findings), "bold")
        else:
            text = Content.styled("looking… (about 15 seconds)", "$muted")
        self.query_one(".doctor--summary", Text).show(text)
        wanted = [each for each in self._findings if each.remedy]
        rest = [each for each in self._findings if not each.remedy]
        lines = [_line(each) for each in (*wanted, *rest)]
        self.query_one(".doctor--findings", Text).show(Content("\n").join(lines))


def _line(finding: Finding) -> Content:
    mark, style = MARKS[finding.level]
    found, meaning, remedy, name = (
        visible(text, keep="") for text in (finding.found, finding.meaning, finding.remedy, finding.name)
    )
    parts: list[str | tuple[str, str]] = [(f"{mark} ", style), (f"{name}  ", "bold" if remedy else "$muted")]
    parts.append((found, style) if remedy else found)
    parts += [(f"; {meaning}", "" if remedy else "$muted")] if meaning else []
    parts += [(f"\n    → {remedy}", "bold")] if remedy else []
    return Content.assemble(*parts)


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
        start_thread("doctor", self._work)

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


def examine(app: App[Any], settings: Settings, device: str, command: Sequence[str] = COMMAND) -> None:
    """Show the report as it comes, over whatever is in front."""
    size, seen = app.size, terminal.variables(os.environ)

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
        [*command, *options, "--device", device],
        own,
        lambda heard: app.post_message(WorkDone(lambda: screen.hear(heard))),
    )
    app.push_screen(screen, lambda _: examination.stop())
    examination.start()
