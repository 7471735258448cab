"""The run's log: what it said in words, and what libraries wrote to log.txt."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.events import Resize
from textual.widgets import RichLog

from workbench.tui.composed import Composed
from workbench.tui.run_view import RunView
from workbench.visible import shortened, visible

COLOURS = {"note": "foreground", "good": "success", "warning": "warning", "error": "error", "quiet": "muted"}


class RunLog(Composed, RichLog, can_focus=False):
    """Appends what is new; in another width it writes all of it anew."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane", wrap=True, markup=False, highlight=False, max_lines=500, min_width=20)
        self.border_title = "Log"
        self._view: RunView | None = None
        self._shown = 0
        self._wrapped_at = 0

    @on(Resize)
    def _wrap_anew(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def show(self, view: RunView) -> None:
        """Show the lines of this view that are not shown yet."""
        width = self.scrollable_content_region.width
        if view is not self._view or width != self._wrapped_at:
            self.clear()
            self._view, self._shown, self._wrapped_at = view, 0, width
        new = min(view.logged - self._shown, len(view.log))
        if new <= 0:
            return
        self._shown = view.logged
        variables = self.app.theme_variables
        for line in list(view.log)[-new:]:
            self.write(Text(shortened(visible(line.text)), style=variables[COLOURS[line.level]]))
