"""The right side of Compose: card, changes, preview and samples; one at a time where there is little room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from workbench.recipe import Change, Problem, Recipe
from workbench.tui.charts.drawing import Axis, Drawing, Layer, draw, nice_ticks
from workbench.tui.charts.engine import Rows
from workbench.tui.charts.widgets import Chart
from workbench.tui.common.palette import Palette
from workbench.tui.common.sample_grid import SampleGrid
from workbench.tui.common.texts import diff
from workbench.tui.common.widgets import Pane, Text, show_border, tabs
from workbench.tui.common.words import place, significant
from workbench.tui.compat.composed import Composed
from workbench.tui.compose import conflicts, texts
from workbench.tui.compose.preview_state import Picture

VIEWS = ("card", "preview", "samples", "changes")


class Side(Composed, Vertical):
    """``view`` is the pane in front; in a wide window all of them are in sight."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = VIEWS[0]
        self._before = VIEWS[0]
        self._counts = (0, 0)
        self._card_title = ""

    def compose(self) -> ComposeResult:
        with Horizontal(id="side-top"):
            with Vertical(id="side-left"):
                yield Pane(title="Card", id="card")
                yield Pane(title="Changes", id="changes")
            yield PreviewPane(id="preview")
        with Vertical(id="samples", classes="pane"):
            yield SampleGrid(id="sample-grid")

    @property
    def _wide(self) -> bool:
        return self.screen.has_class("-wide")

    # What the panes show

    def show_card(self, title: str, spec: Content) -> None:
        """The card of what the cursor stands on."""
        self.query_one("#card", Pane).show(spec)
        if title != self._card_title:
            self._card_title = title
            self.show_titles()

    def show_changes(
        self, changes: Sequence[Change], recipe: Recipe, problems: Sequence[Problem], offers: list[str], fix_key: str
    ) -> None:
        """The conflicts with their fixes, and what differs from the recipe as loaded."""
        parts = [conflicts.in_words(problems, offers, fix_key), Content("\n")] if problems else []
        gathered = texts.gathered(changes, recipe)
        self.query_one("#changes", Pane).show(Content("").join([*parts, diff(gathered)]))
        self._counts = (len(problems), len(gathered))
        self.show_titles()

    def show_picture(self, picture: Picture, palette: Palette, known: texts.Known, draw: str) -> None:
        """What the preview process said; ``draw``: which draw the samples are."""
        self.query_one(PreviewPane).show(picture, palette, known)
        note = picture.samples_error or ("" if picture.samples or picture.error else picture.note)
        self.query_one(SampleGrid).show(picture.samples, note)
        show_border(self.query_one("#samples"), title_below=Content(draw))

    def show_places(self, runs: Path, data_root: Path) -> None:
        """The places in use, in a border that has room for them."""
        room = max(16, self.screen.size.width // 2 - 14)
        shown = place(runs, room // 2)
        text = f"runs {shown} · data {place(data_root, max(8, room - len(shown)))}"
        for name in ("card", "preview", "changes"):
            below = Content(text if name == "preview" or not self._wide else "")
            show_border(self.query_one(f"#{name}"), title_below=below)

    # Which pane is in front

    def show_view(self, view: str) -> None:
        """Bring a pane to the front."""
        self.view = view
        for name in VIEWS:
            self.query_one(f"#{name}").set_class(name == view, "-current")
        left = self.query_one("#side-left")
        left.set_class(view in ("card", "changes"), "-current")
        self.query_one("#side-top").set_class(view != "samples", "-current")
        left.set_class(view == "changes", "-diff")
        self.show_titles()

    def show_next(self, by: int) -> None:
        """The next or previous pane."""
        self.show_view(VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)])

    def toggle_changes(self) -> None:
        """What differs from the recipe as loaded; from there back to what was shown before."""
        if self.view == "changes":
            self.show_view(self._before)
        else:
            self._before = self.view
            self.show_view("changes")

    @property
    def samples_in_sight(self) -> bool:
        """Whether the samples have room."""
        return self.query_one("#samples").display

    def scroll_by_half(self, direction: int) -> None:
        """Scroll the pane in front by half its height."""
        pane = self.query_one(f"#{self.view}")
        pane.scroll_relative(y=direction * max(1, pane.size.height // 2), animate=False)

    def show_titles(self) -> None:
        """Each pane's own title, or where there is one pane the names of all, to be clicked."""
        problems, changes = self._counts
        names = {"card": "Card", "preview": "Preview", "samples": "Samples", "changes": "Diff"}
        if self._wide:
            names |= {"card": self._card_title or "Card", "changes": "Changes"}
        titles = {view: Content(name) for view, name in names.items()}
        if changes:
            titles["changes"] += f" {changes}"
        if problems:
            titles["changes"] += Content.assemble(" ", ("✗", "$error"))
        for name in VIEWS:
            show_border(self.query_one(f"#{name}"), titles[name] if self._wide else tabs(titles, self.view))


class PreviewPane(Composed, VerticalScroll, can_focus=False):
    """What would happen if the recipe were run."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Preview"
        self.numbers = Text(classes="pane--text")
        self.rates_title = Text(classes="pane--text chart-title")
        self.rates = Chart(id="rates")
        self.checks = Text(classes="pane--text")
        self._drawn: list[list[float]] = []

    def compose(self) -> ComposeResult:
        yield self.numbers
        yield self.rates_title
        yield self.rates
        yield self.checks

    def show(self, picture: Picture, palette: Palette, known: texts.Known) -> None:
        """Show what is known."""
        self.numbers.show(texts.preview(picture, known))
        self.checks.show(texts.preview_checks(picture))
        static = picture.static
        self.rates.display = self.rates_title.display = static is not None
        if static is None or static.learning_rates == self._drawn:
            return
        self._drawn = static.learning_rates
        at, peak = max(static.learning_rates, key=lambda point: point[1])
        where = f" at epoch {at:.2g}" if 0 < at < 10 else f" at epoch {at:.0f}" if at else " from the start"
        self.rates_title.show(Content.assemble(("Learning rate  ", "bold"), (f"{significant(peak)}{where}", "$muted")))
        self.rates.plot(rates_drawing(static.learning_rates, static.steps / static.steps_per_epoch, palette))


def rates_drawing(rates: Sequence[Sequence[float]], epochs: float, palette: Palette) -> Drawing:
    """The learning rate over the epochs of the run."""
    points = [(epoch, rate) for epoch, rate in rates]

    def drawing(width: int, height: int) -> Rows:
        top = max(rate for _, rate in points) or 1.0
        ticks = nice_ticks(0, top, max(2, height // 3))
        y = Axis(0, max(top, ticks[-1]), [(t, significant(t)) for t in ticks])
        x = Axis(0, epochs, [(t, significant(t)) for t in nice_ticks(0, epochs, max(2, width // 9))], "epochs")
        return draw([Layer(points, palette.smooth)], x, y, width, height, palette.frame, ascii=palette.ascii)

    return drawing
