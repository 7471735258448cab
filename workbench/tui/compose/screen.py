"""Compose: the recipe at the left; card, preview and changes at the right."""

from __future__ import annotations

from typing import Protocol

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from workbench.recipe import Recipe, write_own
from workbench.recipe.execution import Execution
from workbench.runs.find.speed import Estimate
from workbench.runs.find.trained import Trained
from workbench.tui.charts.widgets import Chart
from workbench.tui.common import clipboard
from workbench.tui.common.actions import bindings
from workbench.tui.common.sample_grid import SampleGrid
from workbench.tui.common.screens import KeyBar, TopBar, WorkbenchScreen
from workbench.tui.common.services import Services
from workbench.tui.common.widgets import Text, show_border
from workbench.tui.compat.composed import when_ready
from workbench.tui.compose import conflicts, texts
from workbench.tui.compose.examinations import OVERFIT_TEST, RANGE_TEST
from workbench.tui.compose.form_screen import edit, toggle
from workbench.tui.compose.preview_state import PreviewState
from workbench.tui.compose.side import VIEWS, Side
from workbench.tui.compose.technique_list import ListPane, TechniqueList


class ComposeServices(Services, Protocol):
    """What this screen asks of the app beside what all screens do. preview: what is known of the recipe."""

    preview: PreviewState

    def estimate(self) -> Estimate | None:
        """How fast the recipe would train; None where nothing is known."""

    def execution(self) -> Execution | None:
        """How the recipe's steps would be executed; None where nothing is known."""

    def trained_like(self, recipe: Recipe) -> list[Trained]:
        """The finished runs that trained the same as a recipe, newest first."""

    def choose_device(self) -> None:
        """Ask for the device of the next run."""

    def open_recipe(self) -> None:
        """Ask for another recipe."""

    def new_recipe(self) -> None:
        """Ask for a data source and a model."""

    def edit_text(self) -> None:
        """Have the recipe's TOML edited outside."""

    def test_recipe(self, check: str) -> None:
        """Make a check that takes some seconds."""

    def save_recipe(self, *, ask: bool = False) -> None:
        """Write the recipe to its file, or ask where."""

    def start_run(self) -> None:
        """Train the recipe."""


class ComposeScreen(WorkbenchScreen[None]):
    """Everything here is about ``services.editor``, the recipe being composed."""

    BINDINGS = bindings("compose")
    AUTO_FOCUS = "#techniques"

    def __init__(self, services: ComposeServices) -> None:
        super().__init__()
        self.services = services

    def compose(self) -> ComposeResult:
        yield TopBar("compose")
        with Horizontal(id="panes"):
            yield ListPane(self.services.editor)
            yield Side(id="side")
        yield Text(id="line")
        yield KeyBar("compose", self.services.settings.keymap)

    def on_mount(self) -> None:
        self.show_device("")
        self._side.show_places(self.services.settings.runs, self.services.settings.data_root)
        before = self.services.layout.get("compose", {})
        self.show_view(str(before["view"]) if before.get("view") in VIEWS else VIEWS[0])
        self.refresh_recipe()
        if isinstance(before.get("place"), str):
            self._list.select(before["place"])

    def on_resize(self) -> None:
        self._side.show_places(self.services.settings.runs, self.services.settings.data_root)
        self._side.show_titles()
        self._show_line()

    def on_screen_resume(self) -> None:
        for chart in self.query(Chart):
            chart.draw()
        self.services.refresh_top()

    # What is shown

    @when_ready
    def refresh_recipe(self) -> None:
        """The recipe changed: list, panes and preview follow."""
        editor = self.services.editor
        problems, changes = editor.conflicts(), editor.changes()
        self.query_one(ListPane).show()
        self._show_card()
        offers = [conflicts.offer(editor.fixes(problem)) for problem in problems]
        self._side.show_changes(changes, editor.recipe, problems, offers, self.services.key("compose.fix"))
        self.services.preview.look_at(editor.recipe, editor.loaded, trainable=not problems)
        self.refresh_preview()
        self.services.refresh_top()

    @when_ready
    def refresh_preview(self) -> None:
        """Something is known about the recipe that was not known before."""
        app, preview = self.services, self.services.preview
        draw = f"draw {preview.roll + 1} · {app.key('compose.roll')} draws anew"
        found = texts.Known(app.estimate(), app.execution(), app.trained_like(app.editor.recipe))
        self._side.show_picture(preview.picture, app.palette, found, draw)
        self._show_line()

    def _show_line(self) -> None:
        line = conflicts.bottom_line(self.services, self.services.preview.picture, self.size.width)
        self.query_one("#line", Text).show(line, layout=False)

    def _show_card(self) -> None:
        """The card of what the cursor stands on, and the keys that act on it."""
        editor, row = self.services.editor, self._list.row
        title = row.label if row is not None else ""
        self._side.show_card(title, texts.spec(editor.recipe, editor.loaded, self._list.place))
        self.query_one(KeyBar).refresh_keys()

    @when_ready
    def show_device(self, gpus: str) -> None:
        """The device in use, and what is known of the GPUs."""
        device = self.services.device
        where = Content(f"{device}: {gpus}" if gpus else f"device {device}")
        show_border(self.query_one("#list-pane"), title_below=where)

    @property
    def _side(self) -> Side:
        return self.query_one(Side)

    @property
    def _list(self) -> TechniqueList:
        return self.query_one(TechniqueList)

    @when_ready
    def show_view(self, view: str) -> None:
        """Bring a pane of the right side to the front."""
        self._side.show_view(view)
        self._remember()

    def _remember(self) -> None:
        """What the next session in this folder opens with."""
        self.services.layout["compose"] = {"view": self._side.view, "place": self._list.place}

    def action_show_view(self, view: str) -> None:
        """A pane's title was clicked."""
        self.show_view(view)

    # What the list says

    @on(TechniqueList.Moved)
    @on(ListPane.Filtered)
    def _moved(self) -> None:
        self._remember()
        self._show_card()
        self.query_one("#card").scroll_home(animate=False)

    @on(TechniqueList.Toggled)
    def _toggled(self, event: TechniqueList.Toggled) -> None:
        toggle(self.services, event.place, self.refresh_recipe)

    @on(TechniqueList.Edited)
    def _edited(self, event: TechniqueList.Edited) -> None:
        edit(self.services, event.place, self.refresh_recipe)

    @on(SampleGrid.RoomChanged)
    def _room_changed(self, event: SampleGrid.RoomChanged) -> None:
        self.services.preview.room_for_samples(event.count, event.side, event.enlarge)

    def key_escape(self) -> None:
        """Away with the filter."""
        self.query_one(ListPane).end_filter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What has nothing to act on is not offered; without a change, undoing is dimmed."""
        if action in ("toggle_technique", "edit"):
            return self._list.row is not None
        if action == "undo":
            return True if self.services.editor.changed else None
        return True

    # Actions

    def action_toggle_technique(self) -> None:
        """Switch what the cursor stands on; a part of the recipe that has no switch is edited."""
        if (row := self._list.row) is not None:
            (edit if row.on is None else toggle)(self.services, row.place, self.refresh_recipe)

    def action_edit(self) -> None:
        """Edit what the cursor stands on."""
        if self._list.place:
            edit(self.services, self._list.place, self.refresh_recipe)

    def action_filter(self) -> None:
        """Type words to look for."""
        self.query_one(ListPane).start_filter()

    def action_view(self, by: int) -> None:
        """The next or previous pane at the right."""
        self._side.show_next(by)
        self._remember()

    def action_diff(self) -> None:
        """What differs from the recipe as loaded, or back to what was shown before."""
        self._side.toggle_changes()
        self._remember()

    def action_roll(self) -> None:
        """Another draw of the augmentations; where there is no room for the samples, bring them to the front first."""
        if self._side.samples_in_sight:
            self.services.preview.roll_again()
            self.refresh_preview()
        else:
            self.show_view("samples")

    def action_devices(self) -> None:
        """Choose the device of the next run."""
        self.services.choose_device()

    def action_fix(self) -> None:
        """Solve the first conflict."""
        conflicts.fix_first(self.services)

    def action_scroll(self, direction: int) -> None:
        """Scroll the pane in front by half its height."""
        self._side.scroll_by_half(direction)

    def action_undo(self) -> None:
        """Take back the last change."""
        if self.services.editor.undo():
            self.refresh_recipe()

    def action_redo(self) -> None:
        """Do again what was taken back."""
        if self.services.editor.redo():
            self.refresh_recipe()

    def action_open(self) -> None:
        """Choose another recipe."""
        self.services.open_recipe()

    def action_new(self) -> None:
        """Start a new recipe."""
        self.services.new_recipe()

    def action_edit_text(self) -> None:
        """The recipe's TOML, in the user's editor."""
        self.services.edit_text()

    def action_range_test(self) -> None:
        """Which learning rates suit."""
        self.services.test_recipe(RANGE_TEST)

    def action_overfit_test(self) -> None:
        """Whether the network can learn one batch by heart."""
        self.services.test_recipe(OVERFIT_TEST)

    def action_drop_claims(self) -> None:
        """Claims about other data or another model are of no use."""
        conflicts.drop_claims(self.services)

    def action_save(self) -> None:
        """Write the recipe to its file."""
        self.services.save_recipe()

    def action_save_as(self) -> None:
        """Write the recipe to another file."""
        self.services.save_recipe(ask=True)

    def action_copy(self) -> None:
        """The recipe as TOML, to the clipboard."""
        clipboard.copy(self.app, write_own(self.services.editor.recipe), "the recipe")

    def action_run(self) -> None:
        """Train this recipe."""
        self.services.start_run()
