"""A chart: holds a drawing function, calls it only while visible, and sends only cells that are others."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from rich.text import Text
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from workbench.tui.charts import Drawing
from workbench.tui.composed import Composed
from workbench.tui.widgets.cells import Cell, cells, changed, strip


class Chart(Composed, Widget):
    """Draws in the UI thread. A line of title may stand over the chart: see :meth:`title`."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawing: Drawing | None = None
        self._due = False
        self._lines: list[list[Cell]] = []
        self._texts: list[str] = []
        self.text = ""

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
        self.text = self._drawing(width, height - len(head)) if self._drawing else ""
        texts = self.text.split("\n")[: height - len(head)] if self.text else []
        texts += [""] * (height - len(head) - len(texts))
        known = dict(zip(self._texts, self._lines[-len(self._texts) :], strict=True)) if self._texts else {}
        lines = [*head, *(_known(known.get(text), width) or cells_of(text, width) for text in texts)]
        before, self._lines, self._texts = self._lines, lines, texts
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


def cells_of(text: str, width: int) -> list[Cell]:
    """A line of ANSI text as cells."""
    found = Text.from_ansi(text)
    parts: list[tuple[str, Style]] = []
    at = 0
    for span in sorted(found.spans, key=lambda span: span.start):
        parts.append((found.plain[at : span.start], Style.null()))
        parts.append(
            (found.plain[span.start : span.end], span.style if isinstance(span.style, Style) else Style.null())
        )
        at = span.end
    return cells([*parts, (found.plain[at:], Style.null())], width)
