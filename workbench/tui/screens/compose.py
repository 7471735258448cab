"""Compose: the recipe at the left; card, preview and changes at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input

from workbench.recipe import Recipe, write_recipe
from workbench.tui import clipboard, texts
from workbench.tui.actions import bindings
from workbench.tui.rows import rows
from workbench.tui.screens.form import FormScreen
from workbench.tui.widgets.chart import Chart
from workbench.tui.widgets.key_bar import KeyBar
from workbench.tui.widgets.pane import Pane, Text
from workbench.tui.widgets.preview import PreviewPane
from workbench.tui.widgets.technique_list import TechniqueList
from workbench.tui.widgets.top_bar import TopBar
from workbench.tui.words import place

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench

VIEWS = ("card", "preview", "changes")


class ComposeScreen(Screen[None]):
    """Everything here is about ``app.editor``, the recipe being composed."""

    BINDINGS = bindings("compose")
    AUTO_FOCUS = "#techniques"

    def __init__(self) -> None:
        super().__init__()
        self._view = "card"

    @property
    def workbench(self) -> Workbench:
        """The app."""
        return cast("Workbench", self.app)

    def compose(self) -> ComposeResult:
        yield TopBar("compose")
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Input(placeholder="words to look for", id="filter", compact=True, classes="-hidden")
                yield TechniqueList(id="techniques")
            with Horizontal(id="side"):
                with Vertical(id="side-left"):
                    yield Pane(title="Card", id="card")
                    yield Pane(title="Changes", id="changes")
                yield PreviewPane(id="preview")
        yield Text(id="line")
        yield KeyBar("compose")

    def on_mount(self) -> None:
        self.workbench.composer = self
        self.query_one("#list-pane").border_title = "Recipe"
        self.show_device("")
        self._show_places()
        before = self.workbench.layout.get("compose", {})
        self.show_view(str(before["view"]) if before.get("view") in VIEWS else self._view)
        self.refresh_recipe()
        if isinstance(before.get("place"), str):
            self._list.select(before["place"])

    def on_resize(self) -> None:
        self._show_places()
        self._show_titles()

    def on_screen_resume(self) -> None:
        for chart in self.query(Chart):
            chart.draw()
        self.workbench.refresh_top()

    # What is shown

    def refresh_recipe(self) -> None:
        """The recipe changed: list, panes and preview follow."""
        editor = self.workbench.editor
        problems, changes = editor.conflicts(), editor.changes()
        wanted = self.query_one("#filter", Input).value
        self._list.show(rows(editor.recipe, problems, changes, wanted))
        self._show_card()
        diff = [texts.conflicts(problems), Content("\n")] if problems else []
        gathered = texts.gathered(changes, editor.recipe)
        self.query_one("#changes", Pane).show(Content("").join([*diff, texts.changes(gathered)]))
        self._count = (len(problems), len(gathered))
        self._show_titles()
        self.workbench.preview.look_at(editor.recipe, editor.loaded, trainable=not problems)
        self.refresh_preview()
        self.workbench.refresh_top()

    def refresh_preview(self) -> None:
        """Something is known about the recipe that was not known before."""
        picture = self.workbench.preview.picture
        self.query_one(PreviewPane).show(picture, self.workbench.palette)
        self.query_one("#line", Text).show(texts.line(picture, self.workbench.editor.conflicts()), layout=False)

    def _show_card(self) -> None:
        editor = self.workbench.editor
        self.query_one("#card", Pane).show(texts.card(editor.recipe, editor.loaded, self._list.place))

    def _show_places(self) -> None:
        settings = self.workbench.settings
        room = max(16, self.size.width // 2 - 14)
        runs = place(settings.runs, room // 2)
        data = place(settings.data_root, max(8, room - len(runs)))
        for pane in self.query("#card, #preview, #changes"):
            pane.border_subtitle = ""
        for pane in self.query("#preview" if self.wide else "#card, #preview, #changes"):
            pane.border_subtitle = f"runs {runs} · data {data}"

    def show_device(self, gpus: str) -> None:
        """The device in use, and what is known of the GPUs."""
        device = self.workbench.settings.device
        self.query_one("#list-pane").border_subtitle = f"{device}: {gpus}" if gpus else f"device {device}"

    @property
    def wide(self) -> bool:
        """Whether all panes have room beside each other."""
        return self.has_class("-wide")

    @property
    def _list(self) -> TechniqueList:
        return self.query_one(TechniqueList)

    _count = (0, 0)

    def show_view(self, view: str) -> None:
        """Bring a pane of the right side to the front; where there is room, all of them are."""
        self._view = view
        self._remember()
        for name in VIEWS:
            self.query_one(f"#{name}").set_class(name == view, "-current")
        self.query_one("#side-left").set_class(view != "preview", "-current")
        self._show_titles()

    def _show_titles(self) -> None:
        problems, changes = self._count
        row = self._list.row if self.is_mounted else None
        number = f" {changes}" if changes else ""
        titles = {"card": "Card", "preview": "Preview", "changes": f"Changes{number}"}
        if problems:
            titles["changes"] += " [$error]✗[/]"
        for name in VIEWS:
            pane = self.query_one(f"#{name}")
            if not self.wide:
                pane.border_title = " │ ".join(
                    f"[b]{title}[/b]" if view == self._view else f"[@click=screen.show_view('{view}')]{title}[/]"
                    for view, title in titles.items()
                )
            elif name == "card" and row is not None:
                pane.border_title = row.technique or row.label
            else:
                pane.border_title = titles[name]

    def _remember(self) -> None:
        """What the next session in this folder opens with."""
        self.workbench.layout["compose"] = {"view": self._view, "place": self._list.place}

    def action_show_view(self, view: str) -> None:
        """A pane's title was clicked."""
        self.show_view(view)

    # What the list says

    @on(TechniqueList.Moved)
    def _moved(self) -> None:
        self._remember()
        self._show_card()
        self._show_titles()
        self.query_one("#card").scroll_home(animate=False)

    @on(TechniqueList.Toggled)
    def _toggled(self, event: TechniqueList.Toggled) -> None:
        self._toggle(event.technique)

    @on(TechniqueList.Edited)
    def _edited(self, event: TechniqueList.Edited) -> None:
        self._edit(event.place)

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self.refresh_list()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self._list.focus()

    def refresh_list(self) -> None:
        """The filter changed."""
        editor = self.workbench.editor
        wanted = self.query_one("#filter", Input).value
        self._list.show(rows(editor.recipe, editor.conflicts(), editor.changes(), wanted))
        self._show_card()

    def key_escape(self) -> None:
        """Away with the filter."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.add_class("-hidden")
        self._list.focus()

    def key_down(self) -> None:
        """From the filter down into the list."""
        if self.focused is self.query_one("#filter"):
            self._list.focus()

    # Actions

    def action_toggle_technique(self) -> None:
        """Switch what the cursor stands on; a part of the recipe that has no switch is edited."""
        row = self._list.row
        if row is not None and row.technique:
            self._toggle(row.technique)
        elif row is not None:
            self._edit(row.place)

    def _toggle(self, name: str) -> None:
        if self.workbench.editor.toggle(name):
            self.refresh_recipe()
        else:
            self._edit(f"techniques.{name}")

    def action_edit(self) -> None:
        """Edit what the cursor stands on."""
        if self._list.place:
            self._edit(self._list.place)

    def _edit(self, place: str) -> None:
        def edited(recipe: Recipe | None) -> None:
            if recipe is not None and self.workbench.editor.change(recipe):
                self.refresh_recipe()

        self.app.push_screen(FormScreen(self.workbench.editor.recipe, place), edited)

    def action_filter(self) -> None:
        """Type words to look for."""
        field = self.query_one("#filter", Input)
        field.remove_class("-hidden")
        field.focus()

    def action_view(self, by: int) -> None:
        """The next or previous pane at the right."""
        self.show_view(VIEWS[(VIEWS.index(self._view) + by) % len(VIEWS)])

    def action_scroll(self, direction: int) -> None:
        """Scroll the pane in front by half its height."""
        pane = self.query_one(f"#{self._view}")
        pane.scroll_relative(y=direction * max(1, pane.size.height // 2), animate=False)

    def action_undo(self) -> None:
        """Take back the last change."""
        if self.workbench.editor.undo():
            self.refresh_recipe()

    def action_redo(self) -> None:
        """Do again what was taken back."""
        if self.workbench.editor.redo():
            self.refresh_recipe()

    def action_open(self) -> None:
        """Choose another recipe."""
        self.workbench.open_recipe()

    def action_save(self) -> None:
        """Write the recipe to its file."""
        self.workbench.save_recipe()

    def action_save_as(self) -> None:
        """Write the recipe to another file."""
        self.workbench.save_recipe(ask=True)

    def action_copy(self) -> None:
        """The recipe as TOML, to the clipboard."""
        clipboard.copy(self.workbench, write_recipe(self.workbench.editor.recipe), "the recipe")

    def action_run(self) -> None:
        """Train this recipe."""
        self.workbench.start_run()
