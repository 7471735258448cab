"""The parts of the Profile screen: the stacks as a tree, the step as a bar, how far a measurement is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from workbench.format import duration, milliseconds, percent
from workbench.profiling.stack_tree import Frame, StackWindow, own_code
from workbench.runs.store.control_file import Action
from workbench.tui.common.services import Services
from workbench.tui.common.widgets import CursorLines, Line, Text
from workbench.tui.common.words import cut
from workbench.tui.compat.composed import Composed
from workbench.tui.profile.profiling import Profiling
from workbench.tui.profile.texts import Piece, legend, step_bar

FORESEEABLE = 0.1, 0.85
"""Shares of a measurement between which it can be said how long it still takes; what comes last is not foreseen."""

FIGURES = 20
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
            (f"{percent(frame.share, 1):>7} ", self._style("share")),
            (f"{milliseconds(frame.seconds / steps):>10}  ", Style.null()),
            (f"{'  ' * row.depth}{sign} ", self._style("place")),
            (name, self._style("own" if frame.user else "library")),
            (place, self._style("place")),
        ]


Path = tuple[tuple[str, str, int], ...]
"""The functions from the root to a frame: what is folded stays folded when the same stacks are measured again."""

OPEN_FROM = 0.05
"""Frames with at least this share of the window are unfolded to begin with."""
LEADS_ON = 0.98


@dataclass(frozen=True)
class StackRow:
    """One line. open: its branch is unfolded; None where there is nothing below it."""

    frame: Frame
    path: Path
    depth: int
    open: bool | None


class Folding:
    """Which branches are folded against what :data:`OPEN_FROM` says."""

    def __init__(self) -> None:
        self._turned: set[Path] = set()

    def is_open(self, frame: Frame, path: Path) -> bool:
        """Whether what a frame called is shown."""
        return (frame.share >= OPEN_FROM) != (path in self._turned)

    def turn(self, path: Path) -> None:
        """Fold or unfold."""
        self._turned ^= {path}

    def rows(self, root: Frame) -> list[StackRow]:
        """The lines from the root down; a root that does little but call one function is left out."""
        while root.children and root.children[0].share >= LEADS_ON * root.share:
            root = root.children[0]
        return list(self._below(root, (), 0))

    def _below(self, frame: Frame, above: Path, depth: int) -> Iterator[StackRow]:
        path = (*above, (frame.name, frame.file, frame.line))
        shown = self.is_open(frame, path)
        yield StackRow(frame, path, depth, shown if frame.children else None)
        if shown:
            for child in frame.children:
                yield from self._below(child, path, depth + 1)


class StepBar(Composed, Vertical):
    """What did not change sends nothing, and of what did only the cells that are others."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._caption = Line(id="step-caption")
        self._above, self._below = Line(classes="step-phases"), Line(classes="step-phases")
        self._legend = Text(id="step-legend")
        self._remark = Line(id="step-remark")
        self._parts: Sequence[Piece] = ()

    def compose(self) -> ComposeResult:
        yield self._caption
        yield self._above
        yield self._below
        yield self._legend
        yield self._remark

    def show(self, caption: Content, parts: Sequence[Piece], remark: str = "") -> None:
        """Show a step; without parts only the caption, and what there is to remark."""
        self._caption.show(caption)
        self._remark.display = bool(remark)
        self._remark.show(Content.styled(remark, "$warning"))
        self._parts = parts
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        room = self.content_size.width
        for line in (self._above, self._below, self._legend):
            line.display = bool(self._parts)
        if room <= 0 or not self._parts:
            return
        above, below = step_bar(self._parts, room, ascii=self.app.has_class("-ascii"))
        self._above.show(above)
        self._below.show(below)
        self._legend.show(legend(self._parts, room))

    @property
    def plain(self) -> str:
        """All that is shown, without styles."""
        return "\n".join(line.plain for line in (self._caption, self._above, self._below, self._legend, self._remark))


AWAITED: dict[Action, str] = {
    "stacks": "The run's stacks are being sampled; a trace can be asked for when they are here",
    "trace": "Steps of the run are being traced; its stacks can be asked for when the trace is here",
}


class MeasuringLine(Line):
    """One line about a measurement."""

    def __init__(self, services: Services, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._services = services

    def show_profiling(self, profiling: Profiling) -> None:
        """Show what it is at."""
        self.show(self._said(profiling))

    def _left(self, profiling: Profiling) -> str:
        """How long it still takes, as far as the share that is done says that."""
        share = profiling.progress.share if profiling.progress is not None else 0.0
        if not FORESEEABLE[0] <= share < FORESEEABLE[1]:
            return ""
        passed = self._services.now() - profiling.began
        return f"   about {duration(passed * (1 - share) / share)} left"

    def _said(self, profiling: Profiling) -> Content:
        app = self._services
        if profiling.progress is not None:
            cells = max(8, self.screen.size.width // 5)
            done = round(min(1.0, max(0.0, profiling.progress.share)) * cells)
            full, rest = ("#", ".") if app.settings.ascii else ("━", "─")
            shares = "  while a run trains" if profiling.shares else ""
            return Content.assemble(
                " ", (full * done, "$primary"), (rest * (cells - done), "$muted"),
                f" {profiling.progress.message}", (self._left(profiling), "$muted"), (shares, "$warning"),
            )  # fmt: skip
        if profiling.error:
            return Content.styled(f" ✗ {profiling.error}", "$error")
        if profiling.report is not None and profiling.outdated and profiling.kept is None:
            text = f" {app.editor.recipe.name} was changed since it was measured; {app.key('profile.measure')} measures"
            return Content.styled(f"{text} it anew", "$warning")
        for what, words in AWAITED.items():
            if profiling.awaiting(what):
                return Content.styled(f" {words}.", "$muted")
        shares = f" measured while {profiling.shares} trained on this machine" if profiling.shares else ""
        return Content.styled(shares if profiling.report is not None else "", "$warning")
