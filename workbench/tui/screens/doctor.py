"""What was found on the machine, what it means, what to do: the report of ``workbench doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from workbench.doctor.finding import Finding, summary
from workbench.tui.composed import when_ready
from workbench.tui.screens.base import ReadingDialog
from workbench.tui.widgets.pane import Text
from workbench.visible import visible

if TYPE_CHECKING:
    from workbench.tui.examining import Heard

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
