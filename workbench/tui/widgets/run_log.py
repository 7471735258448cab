"""The run's log: what it said in words, and what libraries wrote to log.txt."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import RichLog

from workbench.tui.run_view import RunView

COLOURS = {"note": "foreground", "good": "success", "warning": "warning", "error": "error", "quiet": "muted"}


class RunLog(RichLog, can_focus=False):
    """Appends what is new."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane", wrap=True, markup=False, highlight=False, max_lines=500, min_width=20)
        self.border_title = "Log"
        self._view: RunView | None = None
        self._shown = 0

    def show(self, view: RunView) -> None:
        """Show the lines of this view that are not shown yet."""
        if view is not self._view:
            self.clear()
            self._view, self._shown = view, 0
        new = min(view.logged - self._shown, len(view.log))
        if new <= 0:
            return
        self._shown = view.logged
        variables = self.app.theme_variables
        for line in list(view.log)[-new:]:
            self.write(Text(line.text, style=variables[COLOURS[line.level]]))
