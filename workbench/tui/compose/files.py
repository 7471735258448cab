"""Saving a recipe: into which file, and what would be lost there."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input

from workbench.filesystem import absolute, why
from workbench.paths import packaged_recipes, saved_recipes
from workbench.recipe import Recipe, save_recipe
from workbench.recipe.schema import to_tables
from workbench.runs.store.directory import RunDirectory
from workbench.tui.common.screens import ButtonDialog, ConfirmScreen
from workbench.tui.common.widgets import Text
from workbench.tui.compose.forms import apply, subject
from workbench.tui.compose.paths import PathInput

Saved = tuple[Recipe, Path]


class SaveScreen(ButtonDialog[Saved | None]):
    """Writes the file and returns the recipe as written and where, or None. The recipe takes the file's name.

    text: TOML whose comments and order it keeps; None for that of the file.
    """

    BINDINGS = [Binding("escape", "cancel", show=False)]
    AUTO_FOCUS = "#save-where"

    def __init__(self, recipe: Recipe, path: Path, text: str | None = None) -> None:
        super().__init__()
        self._recipe = recipe
        self._text = text
        self._path = path

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog save") as dialog:
            dialog.border_title = "Save as"
            yield PathInput(str(self._path), roots=(Path(),), suffix=".toml", id="save-where")
            yield Text(id="save-what")
            with Horizontal(classes="buttons"):
                yield Button("Save  ⏎", id="save", variant="primary", compact=True)
                yield Button("Cancel  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._say()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say()

    def _say(self, problem: str = "") -> None:
        path = file_for(self.query_one(Input).value)
        if problem:
            text = Content.styled(f"✗ {problem}", "$error")
        else:
            text = Content.styled(f"writes {path}" if path else "write a name, such as mine, or a path", "$muted")
        self.query_one("#save-what", Text).show(text)

    @on(PathInput.Several)
    def _several(self, event: PathInput.Several) -> None:
        event.stop()
        self.query_one("#save-what", Text).show(Content.styled("  ".join(event.names), "$muted"))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_save()

    def action_save(self) -> None:
        """Write, asking first if something would be lost."""
        path = file_for(self.query_one(Input).value)
        if path is None:
            self._say("a name is missing; write one, such as mine, or a path")
            return
        recipe, problem = _named(self._recipe, path.stem)
        if recipe is None:
            self._say(problem)
        elif path.exists():
            self._ask(recipe, path)
        else:
            self._write(recipe, path)

    def _ask(self, recipe: Recipe, path: Path) -> None:
        def answered(answer: str | None) -> None:
            if answer == "replace":
                self._write(recipe, path)

        title, question = f"Replace {path.name}?", f"{path} exists already. The recipe that it holds would be gone."
        answers = [("replace", "Replace it")]
        self.app.push_screen(ConfirmScreen(title, question, answers, "Keep it", loses={"replace"}), answered)

    def _write(self, recipe: Recipe, path: Path) -> None:
        try:
            save_recipe(recipe, path, self._text)
        except OSError as error:
            self._say(f"{path}: cannot be written: {why(error, path)}")
            return
        self.dismiss((recipe, path))

    def action_cancel(self) -> None:
        """Write nothing."""
        self.dismiss(None)


def _named(recipe: Recipe, name: str) -> tuple[Recipe | None, str]:
    """The recipe under another name, or what is wrong with the name."""
    form = subject(recipe, "recipe")
    tables = to_tables(recipe)
    entries = {"name": name, "about": str(tables.get("about", "")), "seed": str(tables["seed"])}
    renamed, wrong = apply(recipe, form, entries)
    return renamed, wrong.get("name", "")


def writable(path: Path) -> Path | None:
    """The path itself, or None for a packaged recipe and for that of a run: saving must ask for another place."""
    packaged = absolute(path).is_relative_to(absolute(packaged_recipes()))
    of_a_run = RunDirectory(path.parent).recipe_file.name == path.name and RunDirectory(path.parent).env_file.exists()
    return None if packaged or of_a_run else path


def file_for(text: str) -> Path | None:
    """The file that is meant: ``mine`` is ``recipes/mine.toml``, ``a/b`` is ``a/b.toml``; None if it names none."""
    text = text.strip()
    path = Path(text).expanduser()
    if text.endswith("/") or path.name in ("", "..", ".toml"):
        return None
    if path.suffix != ".toml":
        path = path.with_name(f"{path.name}.toml")
    return path if "/" in text else saved_recipes() / path
