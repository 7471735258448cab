"""In the way while the terminal is too small for anything else; it goes when there is room again."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size

from workbench.tui.screens.base import Dialog
from workbench.tui.widgets.pane import Text

LEAST = Size(60, 20)
"""Columns and lines below which the screens are unreadable."""


def too_small(size: Size) -> bool:
    """Whether nothing sensible can be shown."""
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmallScreen(Dialog[None]):
    """Says what is needed. A training does not notice."""

    BINDINGS = [Binding("q,ctrl+c,ctrl+q", "app.leave", show=False)]

    def compose(self) -> ComposeResult:
        yield Text(id="too-small")

    def on_mount(self) -> None:
        self._say(self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        if too_small(event.size):
            self._say(event.size)
        elif self.is_current:
            self.dismiss(None)

    def _say(self, size: Size) -> None:
        parts: list[Content | str | tuple[str, str]] = [
            (f"{size.width}×{size.height}", "bold $warning"),
            " is too small: workbench needs ",
            (f"{LEAST.width}×{LEAST.height}", "bold"),
            ".\nMake the terminal larger, or its font smaller.\nA training goes on meanwhile.",
        ]
        self.query_one("#too-small", Text).show(Content.assemble(*parts))
