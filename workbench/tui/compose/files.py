"""The recipe's file: where it is saved and what would be lost there, and its TOML in the user's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input

from workbench.filesystem import absolute, why
from workbench.paths import packaged_recipes, saved_recipes
from workbench.recipe import Change, Problem, Recipe, RecipeError, read_recipe, save_recipe
from workbench.recipe.schema import to_tables
from workbench.runs.find.compare import in_few_words
from workbench.runs.store.directory import RunDirectory
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ButtonDialog, ConfirmScreen
from workbench.tui.common.services import Result
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import first_lines
from workbench.tui.compose.forms import apply, subject
from workbench.tui.compose.paths import PathInput

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.screen import Screen


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


EDITORS = ("sensible-editor", "nano", "vi")
"""Tried in turn where neither VISUAL nor EDITOR is set."""
GO_TO_LINE = ("vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "joe", "kak", "sensible-editor")
"""Editors that open a file at a line where they are given ``+LINE`` before it."""
MISTAKES = 8
"""So many are shown."""


class Outside(Protocol):
    """What is asked of the app: the recipe being composed, and the terminal for a while."""

    editor: Editor

    def terminal_left(self) -> AbstractContextManager[None]:
        """The terminal is somebody else's meanwhile."""

    def recipe_changed(self) -> None:
        """The editor has another recipe, or another text: show it."""

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information", timeout: float | None = None
    ) -> None:
        """Show a message for some seconds."""

    def push_screen(self, screen: Screen[Result], callback: Callable[[Result | None], None] | None = None) -> object:
        """Open a dialog; the callback gets what it returns."""


def edit(app: Outside, line: int = 0) -> None:
    """Open the recipe, or what was written of it with mistakes, in the editor, and take what comes back.

    line: where to begin. The file of the recipe is not touched: saving writes it. A training in this process goes on
    meanwhile.
    """
    command = editor_command()
    if not command:
        app.notify("Set VISUAL or EDITOR to the editor that you use.", severity="warning")
        return
    text = app.editor.draft or app.editor.toml()
    try:
        with app.terminal_left():
            new, status = edited(command, text, app.editor.recipe.name, line)
    except SuspendNotSupported:
        app.notify("This terminal cannot be left to an editor.", severity="warning")
    except OSError as error:
        app.notify(f"{command[0]}: {why(error, Path(command[0]))}", title="No editor", severity="error")
    else:
        _came_back(app, new, f"{Path(command[0]).name} ended with status {status}" if status else "", new == text)


def _came_back(app: Outside, text: str, failure: str, same: bool) -> None:
    """failure: what the editor said of itself, "" if nothing is wrong. same: the text is the one that it was given."""
    if failure and same:
        app.notify(f"{failure}; nothing was changed.", severity="warning")
    elif failure:
        app.editor.draft = text
        answers = [("again", "Edit again"), ("take", "Take the text")]
        _ask(app, failure, "It left another text than it was given.", answers)
    else:
        _take(app, text)


def _take(app: Outside, text: str) -> None:
    try:
        recipe = read_recipe(text, consistent=False)
    except RecipeError as error:
        app.editor.draft = text
        first = next((problem.line for problem in error.problems if problem.line), 0)
        _ask(app, "The text is no recipe yet", mistakes(error.problems), [("again", "Edit again")], first)
        return
    found = app.editor.take(text, recipe)
    app.recipe_changed()
    app.notify(in_words(found), title=recipe.name, timeout=8 if found else None)


def _ask(app: Outside, title: str, question: str, answers: list[tuple[str, str]], line: int = 0) -> None:
    """What is to become of a text that was not taken; until that is said it stays, and the recipe as it was, too."""

    def answered(answer: str | None) -> None:
        if answer == "again":
            edit(app, line)
        elif answer == "take":
            _take(app, app.editor.draft)
        elif answer == "drop":
            app.editor.draft = ""
        app.recipe_changed()

    answers = [*answers, ("drop", "Drop what was written")]
    app.push_screen(ConfirmScreen(title, question, answers, "Later: the text stays for E", loses={"drop"}), answered)


def mistakes(problems: Sequence[Problem]) -> str:
    """What is wrong with a text, a line each."""
    lines = [": ".join(filter(None, (f"line {p.line}" if p.line else "", p.path, p.message))) for p in problems]
    return first_lines(lines, MISTAKES)


def in_words(found: Sequence[Change]) -> str:
    """What a text changed."""
    if not found:
        return "No value was changed."
    return f"{len(found)} change{'s' if len(found) > 1 else ''}: {in_few_words(found)}"


def editor_command() -> list[str]:
    """The user's editor with its arguments; empty if there is none."""
    for variable in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(variable, "")):
                return words
        except ValueError:  # a quote that is not closed
            continue
    return next(([name] for name in EDITORS if shutil.which(name)), [])


def edited(command: list[str], text: str, name: str, line: int = 0) -> tuple[str, int]:
    """A text as the editor leaves it, and with which status it ended. Raises OSError where there is no such editor.

    It is given the terminal itself: descriptors 1 and 2 are a log while the screens are up.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = Path(folder) / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        place = [f"+{line}"] if line and Path(command[0]).name in GO_TO_LINE else []
        terminal = sys.__stderr__
        with _deaf_to_ctrl_c():
            done = subprocess.run([*command, *place, str(path)], stdout=terminal, stderr=terminal, check=False)
        try:
            return path.read_text(encoding="utf-8", errors="replace"), done.returncode
        except FileNotFoundError:  # whoever deletes it has nothing to say
            return text, done.returncode


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A key of the editor's, which the terminal sends to us, too. A handler, as a child would go on ignoring."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
