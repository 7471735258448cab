"""The right side of Compose: card, changes, preview and samples; one at a time where there is little room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from workbench.recipe import Change, Problem, Recipe
from workbench.recipe.execution import Execution
from workbench.runs.speed import Estimate
from workbench.tui import texts
from workbench.tui.charts import Palette
from workbench.tui.composed import Composed
from workbench.tui.preview_state import Picture
from workbench.tui.widgets.pane import Pane, tabs
from workbench.tui.widgets.preview import PreviewPane
from workbench.tui.widgets.samples import SampleGrid
from workbench.tui.words import place

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

    def show_card(self, title: str, card: Content) -> None:
        """The card of what the cursor stands on."""
        self.query_one("#card", Pane).show(card)
        if title != self._card_title:
            self._card_title = title
            self.show_titles()

    def show_changes(
        self, changes: Sequence[Change], recipe: Recipe, problems: Sequence[Problem], offers: list[str], fix_key: str
    ) -> None:
        """The conflicts with their fixes, and what differs from the recipe as loaded."""
        diff = [texts.conflicts(problems, offers, fix_key), Content("\n")] if problems else []
        gathered = texts.gathered(changes, recipe)
        self.query_one("#changes", Pane).show(Content("").join([*diff, texts.changes(gathered)]))
        self._counts = (len(problems), len(gathered))
        self.show_titles()

    def show_picture(
        self, picture: Picture, palette: Palette, estimate: Estimate | None, executed: Execution | None, draw: str
    ) -> None:
        """What the preview process said; ``draw``: which draw the samples are."""
        self.query_one(PreviewPane).show(picture, palette, estimate, executed)
        note = picture.samples_error or ("" if picture.samples or picture.error else picture.note)
        self.query_one(SampleGrid).show(picture.samples, note)
        self.query_one("#samples").border_subtitle = Content(draw)

    def show_places(self, runs: Path, data_root: Path) -> None:
        """The places in use, in a border that has room for them."""
        room = max(16, self.screen.size.width // 2 - 14)
        shown = place(runs, room // 2)
        text = f"runs {shown} · data {place(data_root, max(8, room - len(shown)))}"
        for name in ("card", "preview", "changes"):
            self.query_one(f"#{name}").border_subtitle = Content(text if name == "preview" or not self._wide else "")

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
            self.query_one(f"#{name}").border_title = titles[name] if self._wide else tabs(titles, self.view)
