"""What lists with a cursor have in common: their keys, and redrawing a line at a time."""

from __future__ import annotations

from rich.style import Style
from textual.binding import Binding
from textual.geometry import Region
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from workbench.tui.composed import Composed


class CursorLines(Composed, ScrollView, can_focus=True):
    """Lines of which one is under the cursor; below ``HEADING`` lines that stay. A subclass draws and moves."""

    BINDINGS = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
    ]
    HEADING = 0

    cursor = reactive(0, repaint=False)

    def action_move(self, by: int) -> None:
        """Move the cursor by some lines."""
        raise NotImplementedError

    def action_page(self, direction: int) -> None:
        """Move by what is visible."""
        self.action_move(direction * max(1, self.size.height - self.HEADING - 1))

    def refresh_row(self, number: int) -> None:
        """Draw one line anew."""
        self.refresh(Region(0, number + self.HEADING - self.scroll_offset.y, self.size.width, 1))

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self.refresh_row(self.cursor)

    def under_cursor(self, base: Style, cursor: Style) -> Style:
        """The style of the cursor's line; without the focus only its background."""
        return base + (cursor if self.has_focus else Style(bgcolor=cursor.bgcolor, dim=False))
