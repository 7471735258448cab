"""Charts on the screen: drawn only while visible, only changed cells are sent; pointed at and zoomed with the mouse."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from rich.color import Color
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from workbench.tui.charts.drawing import Drawing
from workbench.tui.charts.engine import Rows, Run, plain, sign_of
from workbench.tui.charts.plot import Figure, Plot, titled
from workbench.tui.charts.viewport import Progress, Viewport
from workbench.tui.common.palette import Colour, Palette
from workbench.tui.common.widgets import Cell, cells, changed, strip
from workbench.tui.compat.composed import Composed


class Chart(Composed, Widget):
    """Draws in the UI thread. A line of title may stand over the chart: see :meth:`title`."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawing: Drawing | None = None
        self._due = False
        self._lines: list[list[Cell]] = []
        self._rows: Rows = []

    @property
    def text(self) -> str:
        """What is drawn, without colours."""
        return plain(self._rows).rstrip("\n")

    def plot(self, drawing: Drawing | None) -> None:
        """Take a new drawing; None clears the chart."""
        self._drawing = drawing
        self._due = True
        self.draw()

    def title(self, width: int) -> Iterable[tuple[str, Style]] | None:
        """The line over the chart; None for none."""
        return None

    def draw(self) -> None:
        """Draw if something is due and somebody can see it."""
        if not self._due or not self.is_attached or not self.size or not self.display:
            return
        if self.screen not in self.app.screen_stack:  # a screen that is in front, or behind a dialog
            return
        self._due = False
        width, height = self.size
        title = self.title(width)
        head = [] if title is None else [cells(title, width)]
        rows = self._drawing(width, height - len(head))[: height - len(head)] if self._drawing else []
        rows = rows + [[]] * (height - len(head) - len(rows))
        known = dict(zip(map(tuple, self._rows), self._lines[-len(self._rows) :], strict=True)) if self._rows else {}
        lines = [*head, *(_known(known.get(tuple(row)), width) or cells_of(row, width) for row in rows)]
        before, self._lines, self._rows = self._lines, lines, rows
        if [len(line) for line in before] != [len(line) for line in lines]:
            self.refresh()
        elif regions := changed(before, lines):
            self.refresh(*regions)

    def on_resize(self, event: events.Resize) -> None:
        self._due = True
        self.draw()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        base = self.rich_style
        if y < len(self._lines):
            return strip(self._lines[y], base)
        return Strip.blank(self.size.width, base)


def _known(line: list[Cell] | None, width: int) -> list[Cell] | None:
    return line if line is not None and len(line) == width else None


def cells_of(row: Sequence[Run], width: int) -> list[Cell]:
    """A line of a chart as cells."""
    return cells([(text, Style.null() if colour is None else _style(colour)) for text, colour in row], width)


class PlotView(Chart, can_focus=True):
    """Shows a plot; says what the mouse asks of the axis that it shares with others."""

    class Asked(Message):
        """``what``: "zoom" (by ``amount``, around ``share``), "pan" (by ``amount``), "cursor" (at ``share``), "reset".

        Shares are of the chart's width, 0 at its left end.
        """

        def __init__(self, view: PlotView, what: str, share: float = 0.0, amount: float = 0.0) -> None:
            super().__init__()
            self.view = view
            self.what = what
            self.share = share
            self.amount = amount

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.plot_shown: Plot | None = None
        self._figures: Sequence[Figure] = ()
        self._palette = Palette()
        self._note = ""
        self._left = 0
        self._grabbed: int | None = None
        self._dragged = False

    def show(self, plot: Plot, viewport: Viewport, progress: Progress, palette: Palette, *, log: bool = False) -> None:
        """Show a plot as it is now."""
        self.plot_shown = plot
        self._palette = palette
        self._figures = plot.figures(viewport.cursor, palette)
        has_points = any(len(series.values) for series in plot.series)
        self._note = "nothing yet" if not has_points else "log" if log and plot.positive else ""

        def drawing(width: int, height: int) -> Rows:
            rows, self._left = plot.draw(width, height, viewport, progress, palette, log=log)
            return rows

        self.plot(drawing if has_points else None)

    def clear(self) -> None:
        """Show nothing: no curve, and no figures of an earlier one."""
        self.plot_shown, self._figures, self._note = None, (), ""
        self._due = True
        self.plot(None)

    @property
    def words(self) -> str:
        """The title in plain words."""
        return "".join(text for text, _ in self.title(200)).rstrip(" ─-")

    def title(self, width: int) -> Iterable[tuple[str, Style]]:
        """Name and newest figures on a rule; names of the series too where there is room."""
        palette = self._palette
        frame, text = _style(palette.frame), _style(palette.text)
        name = self.plot_shown.title if self.plot_shown else ""
        rule = sign_of("─", palette.ascii)
        note = f"  {self._note}" if self._note else ""
        name, figures = titled(name, self._figures, width - 2 - len(note))
        parts = [(f"{rule} ", frame), (name, _style(palette.smooth, bold=True) if self.has_focus else text)]
        for figure in figures:
            parts += [(figure.sign, _style(figure.colour)), (figure.name, frame)]
            parts.append((figure.value, _style(palette.text, bold=True)))
        parts.append((note, frame))
        used = sum(len(part) for part, _ in parts)
        return [*parts, (" ", frame), (rule * max(0, width - used - 1), frame)]

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self._due = True
        self.draw()

    # The mouse

    def _share(self, x: float) -> float:
        width = max(1, self.size.width - self._left - 1)
        return min(max((x - self._left) / width, 0.0), 1.0)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Asked(self, "zoom", self._share(event.x), 0.8))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Asked(self, "zoom", self._share(event.x), 1.25))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1:
            self._grabbed, self._dragged = event.x, False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._grabbed is not None and event.x != self._grabbed:
            moved = self._share(self._grabbed) - self._share(event.x)
            self._grabbed, self._dragged = event.x, True
            self.post_message(self.Asked(self, "pan", amount=moved))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._grabbed = None
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if self._dragged:
            return
        if event.chain == 2:
            self.post_message(self.Asked(self, "reset"))
        elif event.y > 0:
            self.post_message(self.Asked(self, "cursor", self._share(event.x)))


@functools.cache
def _style(colour: Colour, *, bold: bool = False) -> Style:
    known = Color.from_ansi(colour) if isinstance(colour, int) else Color.from_rgb(*colour)
    return Style(color=known, bold=bold)
