"""Opening and saving a recipe: the known files in a list, any other by its path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, OptionList
from textual.widgets.option_list import Option

from workbench.filesystem import absolute, why
from workbench.paths import natural, packaged_recipes, recipe_folders, saved_recipes
from workbench.recipe import Recipe, RecipeError, read_recipe_file, save_recipe
from workbench.recipe.schema import to_tables
from workbench.runs.store.directory import RunDirectory
from workbench.storage import toml
from workbench.storage.regular import read_text
from workbench.tui.common.screens import ButtonDialog, ConfirmScreen, Dialog
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import place
from workbench.tui.compose.forms import apply, subject

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
        problems = [place.problem for place in recipe_folders() if place.problem]
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
            recipe = read_recipe_file(path, consistent=False, say=self.notify)
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
            yield Input(str(self._path), id="save-where", compact=True)
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


@dataclass(frozen=True)
class RecipeFile:
    """A recipe in one of the known folders; ``kind`` is that of the place, ``"saved"`` or ``"packaged"``."""

    name: str
    path: Path
    kind: str
    about: str


def recipe_files() -> list[RecipeFile]:
    """Saved recipes first, then packaged ones, each in natural order; broken files say so instead of their text."""
    return [
        RecipeFile(name, path, place.kind, _about(path))
        for place in recipe_folders()
        for name, path in sorted(place.recipes.items(), key=lambda item: natural(item[0]))
    ]


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


def _about(path: Path) -> str:
    try:
        found = toml.loads(read_text(path)).get("about", "")
    except (OSError, ValueError, RecursionError):
        return "cannot be read"
    return found if isinstance(found, str) else ""
