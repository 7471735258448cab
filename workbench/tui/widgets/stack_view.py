"""The Python stacks as a tree with a cursor: times and shares, branches that fold."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from workbench.profiling.stack_tree import Frame, StackWindow, own_code
from workbench.tui.profile_texts import milliseconds
from workbench.tui.stack_rows import Folding, StackRow
from workbench.tui.widgets.cursor_lines import CursorLines
from workbench.tui.words import cut

FIGURES = 19
"""Cells for share and time of a step."""


class StackView(CursorLines):
    """Shows a window of stacks, of the user's own code or of all; ``nothing`` stands where there is none."""

    COMPONENT_CLASSES = {"stack--share", "stack--own", "stack--library", "stack--place", "stack--cursor"}
    BINDINGS = [Binding("right,l", "open(True)", show=False), Binding("left,h", "open(False)", show=False)]

    class Turned(Message):
        """A branch was folded or unfolded, or the cursor moved."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.own = True
        self._window: StackWindow | None = None
        self._nothing = ""
        self._folding = {True: Folding(), False: Folding()}
        self._trees: dict[bool, Frame] = {}
        self.rows: list[StackRow] = []

    def show(self, window: StackWindow | None, nothing: str, *, own: bool) -> None:
        """Show stacks, if they are others than before."""
        if window is self._window and own == self.own and nothing == self._nothing:
            return
        if window is not self._window:
            self._trees = {}
        self._window, self._nothing, self.own = window, nothing, own
        self._arrange()

    def _arrange(self, keep: StackRow | None = None) -> None:
        """Lay the lines out anew; the cursor stays on ``keep``."""
        self.rows = []
        if self._window is not None:
            if self.own not in self._trees:
                self._trees[self.own] = own_code(self._window.tree) if self.own else self._window.tree
            self.rows = self._folding[self.own].rows(self._trees[self.own])
        found = (number for number, row in enumerate(self.rows) if keep is not None and row.path == keep.path)
        self.cursor = next(found, min(self.cursor, max(0, len(self.rows) - 1)))
        self.virtual_size = Size(0, len(self.rows))
        self.refresh()

    @property
    def row(self) -> StackRow | None:
        """The line under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def fold(self) -> None:
        """Fold or unfold the branch under the cursor."""
        row = self.row
        if row is not None and row.open is not None:
            self._folding[self.own].turn(row.path)
            self._arrange(row)

    def action_open(self, wanted: bool) -> None:
        """Unfold, or fold; where there is nothing to fold, go to the branch above."""
        row = self.row
        if row is None:
            return
        if row.open is (not wanted):
            self.fold()
        elif not wanted and row.depth:
            above = next(i for i in range(self.cursor, -1, -1) if self.rows[i].depth < row.depth)
            self.action_move(above - self.cursor)

    def action_move(self, by: int) -> None:
        """Move the cursor by some lines."""
        before, last = self.cursor, len(self.rows) - 1
        self.cursor = max(0, min(last, before + by))
        for number in {before, self.cursor}:
            self.refresh_row(number)
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        number = offset.y + self.scroll_offset.y if offset is not None else -1
        if not 0 <= number < len(self.rows):
            return
        event.stop()
        self.action_move(number - self.cursor)
        row = self.rows[number]
        if event.chain == 2 or (offset is not None and abs(offset.x - FIGURES - 2 * row.depth) <= 1):
            self.fold()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number, width, base = y + self.scroll_offset.y, self.size.width, self.rich_style
        if not self.rows:
            lines = self._nothing.split("\n")
            text = lines[y] if y < len(lines) else ""
            return Strip([Segment(text, base + self._style("place"))]).adjust_cell_length(width, base)
        if number >= len(self.rows):
            return Strip.blank(width, base)
        if number == self.cursor:
            cursor = self.get_component_rich_style("stack--cursor", partial=True)
            base = self.under_cursor(base, cursor)
        segments = [Segment(text, base + style) for text, style in self._parts(self.rows[number])]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"stack--{name}", partial=True)

    def _parts(self, row: StackRow) -> list[tuple[str, Style]]:
        assert self._window is not None
        frame, steps = row.frame, max(1, self._window.steps)
        folded, opened = (">", "v") if self.app.has_class("-ascii") else ("▸", "▾")
        sign = " " if row.open is None else opened if row.open else folded
        room = self.size.width - FIGURES - 2 * row.depth - 2
        name = cut(frame.name, max(8, room))
        place = f"  {frame.file}:{frame.line}" if frame.line else ""
        place = cut(place, max(0, room - len(name)), start=True) if room - len(name) > 12 else ""
        return [
            (f"{frame.share:>6.1%} ", self._style("share")),
            (f"{milliseconds(frame.seconds / steps):>10}  ", Style.null()),
            (f"{'  ' * row.depth}{sign} ", self._style("place")),
            (name, self._style("own" if frame.user else "library")),
            (place, self._style("place")),
        ]
