"""How each class was recognised, and the most confident mistakes, of a run that is over: the dialog and its texts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content

from workbench.evaluation.results import Mistake, Results
from workbench.filesystem import exists
from workbench.format import percent
from workbench.preview.protocol import Samples
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.results import load_results
from workbench.tui.common.background import aside
from workbench.tui.common.sample_grid import SampleGrid
from workbench.tui.common.screens import ReadingDialog
from workbench.tui.common.texts import MUTED, Part
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import cut
from workbench.tui.compat.composed import when_ready

VIEWS = ("classes", "mistakes")


def show_results(app: App[Any], run: RunDirectory) -> None:
    """Open at once, and show what is read in a thread."""
    dialog = ResultsScreen()

    def read() -> Results:
        try:
            return load_results(run.results_file)
        except RunError as error:
            if not exists(run.results_file):
                raise RunError(
                    f"{run.name} has no {run.results_file.name}: runs of today write one at their end"
                ) from error
            raise

    def failed(error: RunError) -> None:
        if dialog.is_attached:
            dialog.dismiss(None)
            app.notify(str(error))

    app.push_screen(dialog)
    aside(app, "results", read, dialog.show_results, failed)


class ResultsScreen(ReadingDialog):
    """Both beside each other, or where there is little room one after the other."""

    BINDINGS = [
        Binding("escape,e,q,enter", "close", show=False),
        Binding("v,tab,left,right", "view", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._results: Results | None = None
        self._room = 0, 0, True
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
        self._room = event.count, event.side, event.enlarge
        self._show_pictures()

    def _show_pictures(self) -> None:
        count, side, enlarge = self._room
        if count and self._results is not None:
            if not enlarge:
                side = min(side, max(self._results.width, self._results.height))
            note = "no mistakes" if not self._results.mistakes else ""
            shown = pictures(self._results, count, side) if not note else None
            self.query_one(SampleGrid).show(shown, note)

    def action_view(self) -> None:
        """The other one."""
        self.view = self._other
        self._show()


TRUE = "true class"
NAME = 12
"""Cells for the name of a class at most."""
LISTED = 20
"""Lines of a list where the matrix has no room."""
BELOW = 8
"""Lines of the list below a matrix."""


def title(results: Results) -> str:
    """One line about the whole split."""
    said = f"{results.split} accuracy {percent(results.accuracy)} of {results.images:,} images"
    return f"{said}, after step {results.step:,}"


def classes(results: Results, room: int) -> Content:
    """The confusion matrix with each class's accuracy; the most frequent confusions where it has no room."""
    width = max(4, len(str(max((max(row) for row in results.confusion), default=0))) + 1)
    longest = min(NAME, max(map(len, results.classes)))
    names = max(len(TRUE), longest)
    cells = (room - names - 8) // len(results.classes)
    if cells < width:
        return _lists(results, longest)
    width = min(cells, 1 + max(width - 1, *map(len, results.classes)))
    *above, last = _heading(results.classes, width)
    parts: list[Part] = [(f"{'':<{names + 8}}{line}\n", "bold") for line in above]
    parts.append((f"{TRUE:<{names}}{'right':>8}{last}", "bold"))
    for label, row in enumerate(results.confusion):
        whole = sum(row) or 1
        parts += [f"\n{cut(results.classes[label], names):<{names}}", (f"{_right(results, label):>8}", "$primary")]
        for answer, count in enumerate(row):
            style = "bold $success" if answer == label else _wrong(count / whole)
            parts += [" ", (f"{count if count else '·':>{width - 1}}", style)]
    if any(results.confusions(1)):
        parts += ["\n\n", *_most_frequent(results, longest, BELOW - len(above))]
    return Content.assemble(*parts)


def _right(results: Results, label: int) -> str:
    return percent(results.class_accuracy[label], 1)


HEADING = 3
"""Lines for the names of the columns at most."""


def _heading(names: Sequence[str], width: int) -> list[str]:
    """The names over their columns, on as many lines as they need; what is too long ends with an ellipsis."""
    room = width - 1
    lines = min(HEADING, max(-(-len(name) // room) for name in names))
    columns = [_parts(cut(name, lines * room), room) for name in names]
    return ["".join(f"{([''] * (lines - len(c)) + c)[line]:>{width}}" for c in columns) for line in range(lines)]


def _parts(name: str, room: int) -> list[str]:
    """A name in parts of about one length, none longer than the room."""
    count = max(1, -(-len(name) // room))
    ends = [-(-len(name) * n // count) for n in range(count + 1)]
    return [name[start:end] for start, end in pairwise(ends)]


GRADES = ((0.2, 90), (0.1, 70), (0.05, 50), (0.02, 35), (0.01, 22), (0.0, 10))
"""From which share of a class on a confusion is how much of the colour of errors."""


def _wrong(share: float) -> str:
    """The more of a class is taken for another, the redder."""
    if not share:
        return MUTED
    return f"$text on $error {next(strength for least, strength in GRADES if share >= least)}%"


def _most_frequent(results: Results, names: int, most: int) -> list[Part]:
    parts: list[Part] = [("most frequent mistakes", "bold")]
    for times, label, answer in results.confusions(most):
        true, taken = (cut(results.classes[number], names) for number in (label, answer))
        parts += [f"\n{times:>5}× ", f"{true:<{names}}", (" taken for ", MUTED), taken]
    return parts


def _lists(results: Results, names: int) -> Content:
    """What is confused most often, and the classes that are recognised least."""
    parts = _most_frequent(results, names, LISTED)
    known = [(right, label) for label, right in enumerate(results.class_accuracy) if right == right]
    parts.append(("\n\nleast recognised", "bold"))
    for _, label in sorted(known)[:LISTED]:
        parts += [f"\n{_right(results, label):>6} ", cut(results.classes[label], names)]
    return Content.assemble(*parts)


def pictures(results: Results, count: int, side: int) -> Samples:
    """The most confident mistakes, each in ``side`` × ``side`` pixels: its class, what it was taken for, how surely."""
    shown = results.mistakes[:count]
    pixels = b"".join(_scaled(mistake, results, side) for mistake in shown)
    names = results.classes
    labels = [f"{names[m.label]} → {names[m.predicted]} {percent(m.probability, 0)}" for m in shown]
    return Samples(0, side, base64.b64encode(pixels).decode("ascii"), labels)


def _scaled(mistake: Mistake, results: Results, side: int) -> bytes:
    columns = [3 * (x * results.width // side) for x in range(side)]
    rows = [3 * results.width * (y * results.height // side) for y in range(side)]
    return b"".join(mistake.pixels[row + column : row + column + 3] for row in rows for column in columns)
