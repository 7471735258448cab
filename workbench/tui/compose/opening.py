"""Opening a recipe: the known ones in a list, any other by its path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from workbench.paths import recipe_folders
from workbench.recipe import Recipe, RecipeError, read_recipe_file
from workbench.runs.find.trained import Trained
from workbench.tui.common.screens import Dialog
from workbench.tui.common.texts import MUTED
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import first_lines
from workbench.tui.compose.paths import PathInput
from workbench.tui.compose.recipe_files import details, found, heading, line, recipe_files

Opened = tuple[Recipe, Path]


class OpenScreen(Dialog[Opened | None]):
    """Returns a recipe and its file, or None. trained: the finished runs of a recipe, newest first."""

    BINDINGS = [
        Binding("escape", "cancel", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]
    AUTO_FOCUS = "#open-what"

    def __init__(self, trained: Callable[[Recipe], Sequence[Trained]] = lambda recipe: ()) -> None:
        super().__init__()
        self._files = recipe_files()
        self._trained = trained
        self._wanted = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog open") as dialog:
            dialog.border_title = "Open a recipe"
            dialog.border_subtitle = "⏎ opens · esc cancels"
            words = "words to look for, or the path of a file, which Tab completes"
            yield PathInput(roots=(Path(),), suffix=".toml", placeholder=words, id="open-what")
            yield Text(id="open-heading")
            files = OptionList(id="open-files", compact=True)
            files.can_focus = False  # keys go to the input; a click chooses
            yield files
            yield Text(id="open-details")
            yield Text(id="open-problem")

    def on_mount(self) -> None:
        problems = [place.problem for place in recipe_folders() if place.problem]
        self.query_one("#open-problem", Text).show(Content.styled("\n".join(problems), "$error"))

    def on_resize(self, event: events.Resize) -> None:
        """The lines are made for the width that there is."""
        self.call_after_refresh(self._list, keep=True)

    @property
    def _options(self) -> OptionList:
        return self.query_one("#open-files", OptionList)

    def _list(self, *, keep: bool = False) -> None:
        """Show the recipes that are meant. keep: the cursor stays where it is."""
        options = self._options
        before, width = options.highlighted, options.scrollable_content_region.width
        options.clear_options()
        for title, files in found(self._files, self._wanted):
            options.add_option(Option(Content.styled(title, MUTED), disabled=True))
            options.add_options([Option(line(file, width), id=str(self._files.index(file))) for file in files])
        first = next((i for i, option in enumerate(options.options) if not option.disabled), None)
        options.highlighted = before if keep and before is not None else first
        head = heading(width)
        self.query_one("#open-heading", Text).show(Content.styled(head, MUTED))
        self.query_one("#open-heading").display = bool(head)
        if first is None:
            self.query_one("#open-details", Text).show(Content.styled("no recipe has these words", MUTED))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option.id is not None:
            file = self._files[int(event.option.id)]
            trained = self._trained(file.recipe) if file.recipe is not None else ()
            self.query_one("#open-details", Text).show(details(file, trained))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._wanted = "" if _is_path(event.value) else event.value
        self._list()
        self.query_one("#open-problem", Text).show(Content(""))

    @on(PathInput.Several)
    def _several(self, event: PathInput.Several) -> None:
        event.stop()
        self.query_one("#open-details", Text).show(Content.styled("  ".join(event.names), MUTED))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        options = self._options
        if _is_path(event.value):
            self._open(Path(event.value.strip()).expanduser())
        elif options.highlighted is not None:
            self._choose(options.get_option_at_index(options.highlighted).id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._choose(event.option.id)

    def _choose(self, number: str | None) -> None:
        if number is not None:
            self._open(self._files[int(number)].path)

    def _open(self, path: Path) -> None:
        try:
            recipe = read_recipe_file(path, consistent=False, say=self.notify)
        except RecipeError as error:
            said = first_lines([str(problem) for problem in error.problems], 4)
            self.query_one("#open-problem", Text).show(Content.styled(said, "$error"))
            return
        self.dismiss((recipe, path))

    def action_move(self, by: int) -> None:
        """Move the cursor of the list."""
        if by > 0:
            self._options.action_cursor_down()
        else:
            self._options.action_cursor_up()

    def action_cancel(self) -> None:
        """Open nothing."""
        self.dismiss(None)


def _is_path(text: str) -> bool:
    return "/" in text or text.strip().endswith(".toml")
