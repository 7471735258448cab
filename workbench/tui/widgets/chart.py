"""A chart: holds a drawing function, calls it only while visible, and redraws only what came out differently."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.widgets import Static

from workbench.tui.charts import Drawing


class Chart(Static):
    """Draws with plotext in the UI thread."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawing: Drawing | None = None
        self._due = False
        self.text = ""

    def plot(self, drawing: Drawing | None) -> None:
        """Take a new drawing; None clears the chart."""
        self._drawing = drawing
        self._due = True
        self.draw()

    def draw(self) -> None:
        """Draw if something is due and somebody can see it."""
        if not self._due or not self.is_attached or not self.size or not self.display:
            return
        if self.screen not in self.app.screen_stack:  # a screen that is in front, or behind a dialog
            return
        self._due = False
        text = self._drawing(self.size.width, self.size.height) if self._drawing else ""
        if text != self.text:
            self.text = text
            self.update(Text.from_ansi(text), layout=False)

    def on_resize(self, event: events.Resize) -> None:
        self._due = True
        self.draw()
