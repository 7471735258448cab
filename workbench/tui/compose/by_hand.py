"""The recipe's TOML in the user's own editor, and back: nothing that was written there is lost."""

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

from textual.app import SuspendNotSupported

from workbench.filesystem import why
from workbench.recipe import Change, Problem, RecipeError, read_recipe
from workbench.runs.find.compare import in_few_words
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Result
from workbench.tui.common.words import first_lines

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

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
