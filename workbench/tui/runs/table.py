"""The table of runs, with a cursor and a heading that stays, which redraws only what changed; what keys do to it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from workbench.runs.find.catalog import Entry
from workbench.runs.find.groups import Group
from workbench.tui.common.screens import WorkbenchScreen
from workbench.tui.common.widgets import CursorLines
from workbench.tui.runs.browser import RunBrowser
from workbench.tui.runs.columns import FIRST_SORT, Cell, Column, Context, cells, headings
from workbench.tui.runs.fitting import fitting
from workbench.tui.runs.manage import RunsServices, choose_columns
from workbench.tui.runs.overlay import LOOKS


class RunTable(CursorLines, inherit_bindings=False):
    """Shows entries in the order in which they are given. Cells are made only for rows in sight."""

    COMPONENT_CLASSES = {
        f"runs--{name}"
        for name in (
            "heading",
            "sorted",
            "text",
            "name",
            "value",
            "quiet",
            "good",
            "warning",
            "bad",
            "accent",
            "cursor",
        )
    }
    # Without G for the end, which folds seeds here, and without arrows to the side, which open and close a group.
    BINDINGS = [*CursorLines.BINDINGS[:-1], Binding("end", "move(1000000)", show=False)]
    HEADING = 1

    class Moved(Message):
        """The cursor stands on another run, or other rows are in sight."""

    class Toggled(Message):
        """A run's sign was clicked."""

    class Opened(Message):
        """A row was double-clicked."""

    class Sorted(Message):
        """A heading was clicked."""

        def __init__(self, sort: str) -> None:
            super().__init__()
            self.sort = sort

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._entries: list[Entry] = []
        self._known = Context()
        self._sort = (FIRST_SORT, False)
        self._columns: list[tuple[Column, int]] = []
        self._drawn: dict[int, list[Cell]] = {}

    @property
    def entry(self) -> Entry | None:
        """The run under the cursor."""
        return self._entries[self.cursor] if 0 <= self.cursor < len(self._entries) else None

    @property
    def in_sight(self) -> tuple[str, ...]:
        """The names of the rows that can be seen."""
        top = self.scroll_offset.y
        return tuple(entry.run.name for entry in self._entries[top : top + self._room])

    @property
    def sorts(self) -> list[str]:
        """What the columns in sight are sorted by."""
        return list(dict.fromkeys(column.sort for column, _ in self._columns if column.sort))

    @property
    def fields(self) -> list[str]:
        """The fields and keys of the columns in sight."""
        return [column.sort for column, _ in self._columns if column.sort and not column.only_with_baseline]

    @property
    def _room(self) -> int:
        return max(1, self.size.height - 1)

    def show(self, entries: Sequence[Entry], context: Context, sort: str, *, descending: bool) -> None:
        """Take new rows; the cursor stays on its run if that is still there."""
        current = self.entry
        names = [entry.name for entry in self._entries]
        whole = (sort, descending) != self._sort or _shapes(context) != _shapes(self._known)
        self._entries, self._known, self._sort = list(entries), context, (sort, descending)
        if len(names) != len(self._entries):
            self.virtual_size = Size(0, len(self._entries) + 1)
            whole = True
        if whole or not self._columns:
            self._lay_out()
            self.refresh()
        else:
            self._refresh_changed()
        self._follow(current)

    def show_facts(self) -> None:
        """More is known about the recipes of the rows in sight."""
        self._refresh_changed()

    def _follow(self, current: Entry | None) -> None:
        """Keep the cursor on its run; where that is gone, in its place."""
        number = self.cursor
        if current is not None and (self.entry is None or self.entry.name != current.name):
            number = next((i for i, e in enumerate(self._entries) if e.name == current.name), number)
        number = min(max(0, number), max(0, len(self._entries) - 1))
        if number != self.cursor:
            self._put(number)

    def _lay_out(self) -> None:
        self._columns = fitting(self.size.width - 1, self._known.columns)
        self._drawn.clear()

    def _refresh_changed(self) -> None:
        top = self.scroll_offset.y
        for number in range(top, min(top + self._room, len(self._entries))):
            if self._drawn.get(number) != cells(self._entries[number], self._columns, self._known):
                self.refresh_row(number)

    def on_resize(self) -> None:
        self._lay_out()
        self.refresh()
        self._put(self.cursor)

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        if self._entries:
            self._put(min(max(self.cursor + by, 0), len(self._entries) - 1))

    def go_to(self, name: str) -> None:
        """Put the cursor on a line, if it is there."""
        if (number := next((i for i, e in enumerate(self._entries) if e.name == name), None)) is not None:
            self._put(number)

    def _put(self, number: int) -> None:
        before = self.cursor
        self.cursor = number
        if before != number:
            self.refresh_row(before)
            self.refresh_row(number)
        # The row above is asked for too: the heading covers it.
        self.scroll_to_region(Region(0, number, 1, 2), animate=False, force=True, immediate=True)
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        event.stop()
        if place.y == 0:
            column = self._column_at(place.x)
            if column is not None and column.sort:
                self.post_message(self.Sorted(column.sort))
            return
        number = place.y - 1 + self.scroll_offset.y
        if number >= len(self._entries):
            return
        self._put(number)
        if place.x < 2:
            self.post_message(self.Toggled())
        elif event.chain == 2:
            self.post_message(self.Opened())

    def _column_at(self, x: int) -> Column | None:
        for column, width in self._columns:
            if x <= width:
                return column
            x -= width + 1
        return None

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width, base = self.size.width, self.rich_style
        if y == 0:
            return Strip(self._heading(base)).adjust_cell_length(width, base)
        number = y - 1 + self.scroll_offset.y
        if not 0 <= number < len(self._entries):
            return Strip.blank(width, base)
        found = self._drawn[number] = cells(self._entries[number], self._columns, self._known)
        if number == self.cursor:
            base = self.under_cursor(base, self._style("cursor"))
        gap = Segment(" ", base)
        segments: list[Segment] = []
        for text, style in found:
            own = Style(color=style, bold=True) if style.startswith("#") else self._style(style)
            segments += [Segment(text, base + own), gap]
        return Strip(segments).adjust_cell_length(width, base)

    def _heading(self, base: Style) -> list[Segment]:
        sort, descending = self._sort
        segments: list[Segment] = []
        for title, chosen in headings(self._columns, sort, descending=descending):
            segments += [Segment(title, base + self._style("sorted" if chosen else "heading")), Segment(" ", base)]
        return segments

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"runs--{name}", partial=True)


def _shapes(context: Context) -> list[tuple[str, str, int]]:
    """What the places of the columns depend on."""
    return [(column.key, column.title, column.width) for column in context.columns]


class TableScreen(WorkbenchScreen[None]):
    """What keys and clicks do to the table of the screen that is one of these: selection, order, folding."""

    services: RunsServices
    browser: RunBrowser

    @property
    def table(self) -> RunTable:
        """The table."""
        return self.query_one(RunTable)

    def refresh_rows(self) -> None:
        """Filter, sort and fold what is known, and show it."""
        raise NotImplementedError

    @on(RunTable.Toggled)
    def _toggled(self) -> None:
        self.action_select()

    @on(RunTable.Sorted)
    def _sorted(self, event: RunTable.Sorted) -> None:
        if event.sort == self.browser.sort:
            self.action_reverse()
        else:
            self.browser.sort_by(event.sort)
            self.refresh_rows()

    def action_select(self) -> None:
        """Select the run, or no longer."""
        if (entry := self.table.entry) is not None:
            if not self.browser.select(entry):
                self.app.notify(f"{len(LOOKS)} runs are as many as can be told apart.", severity="warning")
            self.refresh_rows()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.browser.sort_by_next(self.table.sorts)
        self.refresh_rows()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self.browser.descending = not self.browser.descending
        self.refresh_rows()

    def action_group(self) -> None:
        """Fold runs that differ by their seed only into one line each, or no longer."""
        self.browser.folded = not self.browser.folded
        self.refresh_rows()

    def action_unfold(self) -> None:
        """Open the group under the cursor."""
        self.open_group(True)

    def action_fold(self) -> None:
        """Close the group under the cursor, or that of the run under it."""
        if (entry := self.table.entry) is not None and (group := self.browser.group_of(entry)):
            self.table.go_to(group.name)
        self.open_group(False)

    def open_group(self, opened: bool | None) -> None:
        """Open the group under the cursor, or close it; None: the other way round."""
        if isinstance(group := self.table.entry, Group):
            self.browser.open(group, opened=opened)
            self.refresh_rows()

    def action_columns(self) -> None:
        """Choose the columns."""
        choose_columns(self.services, self.browser, self.table.fields, self.refresh_rows)
