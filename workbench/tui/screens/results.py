"""How each class was recognised, and the most confident mistakes, of a run that is over."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content

from workbench.filesystem import exists
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.results import Results, load_results
from workbench.tui.composed import when_ready
from workbench.tui.messages import WorkDone
from workbench.tui.result_texts import classes, pictures, title
from workbench.tui.screens.base import ReadingDialog
from workbench.tui.widgets.pane import Text
from workbench.tui.widgets.samples import SampleGrid

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench

VIEWS = ("classes", "mistakes")


def show_results(app: Workbench, run: RunDirectory) -> None:
    """Open at once, and show what is read in a thread."""
    dialog = ResultsScreen()

    def show(results: Results | str) -> None:
        if not isinstance(results, str):
            dialog.show_results(results)
        elif dialog.is_attached:
            dialog.dismiss(None)
            app.notify(results)

    def read() -> None:
        results: Results | str
        try:
            results = load_results(run.results_file)
        except RunError as error:
            results = str(error)
            if not exists(run.results_file):
                results = f"{run.name} has no {run.results_file.name}: runs of today write one at their end"
        app.post_message(WorkDone(lambda: show(results)))

    app.push_screen(dialog)
    threading.Thread(target=read, daemon=True, name="results").start()


class ResultsScreen(ReadingDialog):
    """Both beside each other, or where there is little room one after the other."""

    BINDINGS = [
        Binding("escape,e,q,enter", "close", show=False),
        Binding("v,tab,left,right", "view", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._results: Results | None = None
        self._room = 0, 0
        self.view = VIEWS[0]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog results"), Container(id="results-panes"):
            with VerticalScroll(id="result-classes", can_focus=False):
                yield Text(id="result-text")
            yield SampleGrid(id="result-mistakes")

    def on_mount(self) -> None:
        self._show_all()

    def on_resize(self) -> None:
        self._show()

    def show_results(self, results: Results) -> None:
        """They are read."""
        self._results = results
        self._show_again()

    @when_ready
    def _show_again(self) -> None:
        self._show_all()

    def _show_all(self) -> None:
        if self._results is not None:
            self.query_one(".results").border_title = Content(title(self._results))
        self._show()
        self._show_pictures()

    def _show(self) -> None:
        if self._results is None:
            return
        room = min(78, self.size.width - 6)
        self.query_one("#result-text", Text).show(classes(self._results, room))
        for view in VIEWS:
            self.query_one(f"#result-{view}").set_class(view == self.view, "-current")
        both = self.size.width >= 120  # where the styles put them beside each other
        said = "esc closes" if both else f"v shows the {self._other} · esc closes"
        self.query_one(".results").border_subtitle = Content(said)

    @property
    def _other(self) -> str:
        return VIEWS[1 - VIEWS.index(self.view)]

    @on(SampleGrid.RoomChanged)
    def _room_changed(self, event: SampleGrid.RoomChanged) -> None:
        event.stop()
        self._room = event.count, event.side
        self._show_pictures()

    def _show_pictures(self) -> None:
        count, side = self._room
        if count and self._results is not None:
            note = "no mistakes" if not self._results.mistakes else ""
            shown = pictures(self._results, count, side) if not note else None
            self.query_one(SampleGrid).show(shown, note)

    def action_view(self) -> None:
        """The other one."""
        self.view = self._other
        self._show()
