"""How each class was recognised, and the most confident mistakes, of a run that is over."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from workbench.filesystem import exists
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.results import Results, load_results
from workbench.tui.messages import WorkDone
from workbench.tui.result_texts import classes, pictures, title
from workbench.tui.widgets.pane import Text
from workbench.tui.widgets.samples import SampleGrid

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench

VIEWS = ("classes", "mistakes")


def show_results(app: Workbench, run: RunDirectory) -> None:
    """Read them in a thread, then show them."""

    def show(results: Results | str) -> None:
        if isinstance(results, str):
            app.notify(results)
        elif not isinstance(app.screen, ResultsScreen):
            app.push_screen(ResultsScreen(results))

    def read() -> None:
        results: Results | str
        try:
            results = load_results(run.results_file)
        except RunError as error:
            results = str(error)
            if not exists(run.results_file):
                results = f"{run.name} has no {run.results_file.name}: runs of today write one at their end"
        app.post_message(WorkDone(lambda: show(results)))

    threading.Thread(target=read, daemon=True, name="results").start()


class ResultsScreen(ModalScreen[None]):
    """Both beside each other, or where there is little room one after the other."""

    BINDINGS = [
        Binding("escape,e,q,enter", "close", show=False),
        Binding("v,tab,left,right", "view", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, results: Results) -> None:
        super().__init__()
        self._results = results
        self.view = VIEWS[0]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog results") as dialog:
            dialog.border_title = Content(title(self._results))
            with Container(id="results-panes"):
                with VerticalScroll(id="result-classes", can_focus=False):
                    yield Text(id="result-text")
                yield SampleGrid(id="result-mistakes")

    def on_mount(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
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
        if event.count:
            note = "no mistakes" if not self._results.mistakes else ""
            shown = pictures(self._results, event.count, event.side) if not note else None
            self.query_one(SampleGrid).show(shown, note)

    def action_view(self) -> None:
        """The other one."""
        self.view = self._other
        self._show()

    def action_scroll(self, by: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        """Back to the charts."""
        self.dismiss(None)
