"""Opening a recipe: the known ones in a list, any other by its path."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from workbench.places import recipe_places
from workbench.recipe import Recipe, RecipeError, read_recipe_file
from workbench.tui.recipe_files import recipe_files
from workbench.tui.screens.base import Dialog
from workbench.tui.widgets.pane import Text
from workbench.tui.words import place

Opened = tuple[Recipe, Path]


class OpenScreen(Dialog[Opened | None]):
    """Returns a recipe and its file, or None."""

    BINDINGS = [
        Binding("escape", "cancel", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]
    AUTO_FOCUS = "#open-what"

    def __init__(self) -> None:
        super().__init__()
        self._files = recipe_files()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog open") as dialog:
            dialog.border_title = "Open a recipe"
            dialog.border_subtitle = "⏎ opens · esc cancels"
            yield Input(placeholder="words to look for, or the path of a file", id="open-what", compact=True)
            files = OptionList(id="open-files", compact=True)
            files.can_focus = False  # keys go to the input; a click chooses
            yield files
            yield Text(id="open-problem")

    def on_mount(self) -> None:
        self._list("")
        problems = [place.problem for place in recipe_places() if place.problem]
        self.query_one("#open-problem", Text).show(Content.styled("\n".join(problems), "$error"))

    def _list(self, wanted: str) -> None:
        files = self.query_one("#open-files", OptionList)
        words = wanted.lower().split()
        files.clear_options()
        kind = ""
        for number, file in enumerate(self._files):
            if not all(word in f"{file.name} {file.about} {file.kind}".lower() for word in words):
                continue
            if file.kind != kind:
                kind = file.kind
                files.add_option(
                    Option(Content.styled(f"{kind}  {place(file.path.parent, 60)}", "$muted"), disabled=True)
                )
            text = Content.assemble((f"  {file.name:<14}", "bold"), (f" {file.about}", "$muted"))
            files.add_option(Option(text, id=str(number)))
        first = next((i for i, option in enumerate(files.options) if not option.disabled), None)
        files.highlighted = first

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list("" if _is_path(event.value) else event.value)
        self.query_one("#open-problem", Text).show(Content(""))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        files = self.query_one("#open-files", OptionList)
        if _is_path(event.value):
            self._open(Path(event.value.strip()).expanduser())
        elif files.highlighted is not None:
            self._choose(files.get_option_at_index(files.highlighted).id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._choose(event.option.id)

    def _choose(self, number: str | None) -> None:
        if number is not None:
            self._open(self._files[int(number)].path)

    def _open(self, path: Path) -> None:
        try:
            recipe = read_recipe_file(path, consistent=False)
        except RecipeError as error:
            lines = [str(problem) for problem in error.problems]
            more = [f"… and {len(lines) - 4} more"] if len(lines) > 4 else []
            self.query_one("#open-problem", Text).show(Content.styled("\n".join(lines[:4] + more), "$error"))
            return
        self.dismiss((recipe, path))

    def action_move(self, by: int) -> None:
        """Move the cursor of the list."""
        files = self.query_one("#open-files", OptionList)
        if by > 0:
            files.action_cursor_down()
        else:
            files.action_cursor_up()

    def action_cancel(self) -> None:
        """Open nothing."""
        self.dismiss(None)


def _is_path(text: str) -> bool:
    return "/" in text or text.strip().endswith(".toml")
