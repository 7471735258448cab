"""The list of a recipe's parts and of all techniques, which redraws only lines that changed, with its filter."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input

from workbench.tui.common.editor import Editor
from workbench.tui.common.widgets import CursorLines
from workbench.tui.compat.composed import Composed
from workbench.tui.compose.rows import Row, fitting, rows

LABEL, SHORT_LABEL = 17, 12
"""Cells for a technique's name; in a narrow list longer ones move their values to the right."""
NARROW = 44
"""Cells below which a list is narrow."""
NOTHING = " nothing is like that; esc shows all"


class TechniqueList(CursorLines):
    """Shows rows; says when the cursor moves, and when one is to be switched or edited."""

    COMPONENT_CLASSES = {
        "list--heading",
        "list--on",
        "list--off",
        "list--value",
        "list--changed",
        "list--wrong",
        "list--cursor",
    }

    class Moved(Message):
        """The cursor stands on another place."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    class Toggled(Message):
        """A checkbox was clicked."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    class Edited(Message):
        """A line was double-clicked: its parameters are to be edited."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Row] = []

    @property
    def place(self) -> str:
        """What the cursor stands on; "" if the list is empty."""
        return self._rows[self.cursor].place if 0 <= self.cursor < len(self._rows) else ""

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if 0 <= self.cursor < len(self._rows) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Take new rows; the cursor stays on its place if that is still there."""
        before, place = self._rows, self.place
        self._rows = list(rows)
        self.virtual_size = Size(0, len(self._rows))
        if len(before) == len(self._rows):
            for number, (old, new) in enumerate(zip(before, self._rows, strict=True)):
                if old != new:
                    self.refresh_row(number)
        else:
            self.refresh()
        self.select(place, announce=not place)

    def select(self, place: str, *, announce: bool = True) -> None:
        """Put the cursor on a place, or on the nearest row that has one."""
        number = next((i for i, row in enumerate(self._rows) if place and row.place == place), None)
        if number is None:
            number = self._nearest(min(self.cursor, len(self._rows) - 1), 1)
            announce = True
        self._put(number, announce)

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows; headings are skipped."""
        target = min(max(self.cursor + by, 0), len(self._rows) - 1)
        self._put(self._nearest(target, 1 if by > 0 else -1), True)

    def _nearest(self, number: int, direction: int) -> int:
        """The nearest row with a place, first in one direction, then in the other."""
        count = len(self._rows)
        ahead = range(number, count) if direction > 0 else range(number, -1, -1)
        behind = range(number, -1, -1) if direction > 0 else range(number, count)
        return next((i for i in [*ahead, *behind] if 0 <= i < count and self._rows[i].place), 0)

    def _put(self, number: int, announce: bool) -> None:
        before = self.cursor
        self.cursor = number
        if before != number:
            self.refresh_row(before)
            self.refresh_row(number)
        # The heading above comes into view with its first row.
        top = number - 1 if number > 0 and not self._rows[number - 1].place else number
        self.scroll_to_region(Region(0, top, 1, number - top + 1), animate=False, force=True, immediate=True)
        if announce and self._rows:
            self.post_message(self.Moved(self.place))

    def on_click(self, event: events.Click) -> None:
        number = event.y + self.scroll_offset.y
        if event.get_content_offset(self) is None or not 0 <= number < len(self._rows) or not self._rows[number].place:
            return
        event.stop()
        self._put(number, True)
        row = self._rows[number]
        if row.on is not None and 1 <= event.x <= 5:
            self.post_message(self.Toggled(row.place))
        elif event.chain == 2:
            self.post_message(self.Edited(row.place))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number = y + self.scroll_offset.y
        width = self.size.width
        base = self.rich_style
        if not self._rows and y == 0:
            quiet = self.get_component_rich_style("list--off", partial=True)
            return Strip([Segment(NOTHING, base + quiet)]).adjust_cell_length(width, base)
        if not 0 <= number < len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[number]
        if number == self.cursor:
            cursor = self.get_component_rich_style("list--cursor", partial=True)
            base = self.under_cursor(base, cursor)
        segments = [Segment(text, base + style) for text, style in self._parts(row)]
        return Strip(segments).adjust_cell_length(width, base)

    def _parts(self, row: Row) -> list[tuple[str, Style]]:
        def style(name: str) -> Style:
            return self.get_component_rich_style(f"list--{name}", partial=True)

        if not row.place:
            return [(f" {row.label}", style("heading"))]
        mark = ("!", style("wrong")) if row.wrong else ("•", style("changed")) if row.changed else (" ", Style())
        if row.on is None:
            head, label = f" {row.label:<7}", style("on")
        else:
            cells = LABEL if self.size.width >= NARROW else SHORT_LABEL
            head, label = f" [{'x' if row.on else ' '}] {row.label:<{cells}}", style("on" if row.on else "off")
        if row.wrong:
            label = style("wrong")
        own, usual = fitting(row.values, self.size.width - 1 - len(head) - 2)
        return [mark, (head, label), (f" {own}", style("value")), (usual, style("off"))]


class ListPane(Composed, Vertical):
    """The list under its filter. What it shows is found anew whenever the filter changes."""

    class Filtered(Message):
        """Other lines are shown, and the cursor may stand elsewhere: what the list says then goes no further than here.

        Textual ends a message at the widget in whose handler it was made.
        """

    def __init__(self, editor: Editor) -> None:
        super().__init__(id="list-pane", classes="pane")
        self.border_title = "Recipe"
        self._editor = editor
        self._filter = Input(placeholder="words to look for", id="filter", compact=True, classes="-hidden")
        self._list = TechniqueList(id="techniques")

    def compose(self) -> ComposeResult:
        yield self._filter
        yield self._list

    def show(self) -> None:
        """Show the recipe as it is now."""
        editor = self._editor
        self._list.show(rows(editor.recipe, editor.conflicts(), editor.changes(), self._filter.value))

    def start_filter(self) -> None:
        """Let words be typed."""
        self._filter.remove_class("-hidden")
        self._filter.focus()

    def end_filter(self) -> None:
        """Away with the filter."""
        self._filter.value = ""
        self._filter.add_class("-hidden")
        self._list.focus()

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        event.stop()
        self.show()
        self.post_message(self.Filtered())

    @on(Input.Submitted, "#filter")
    def _filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        self._list.focus()

    def key_down(self) -> None:
        """From the filter down into the list."""
        if self._filter.has_focus:
            self._list.focus()
