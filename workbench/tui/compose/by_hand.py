"""The recipe's TOML in the user's own editor, and back: nothing that was written there is lost."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from textual.app import SuspendNotSupported

from workbench.filesystem import why
from workbench.recipe import RecipeError, difference, read_recipe, write_over
from workbench.runs.find.compare import in_few_words
from workbench.storage.regular import read_text
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Result

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

EDITORS = ("sensible-editor", "nano", "vi")
"""Tried in turn where neither VISUAL nor EDITOR is set."""
MISTAKES = 8
"""So many are shown."""


class Outside(Protocol):
    """What is asked of the app: the recipe being composed, and the terminal for a while."""

    editor: Editor

    def recipe_changed(self) -> None:
        """The editor has another recipe: show it."""

    def notify(self, message: str, *, title: str = "", severity: SeverityLevel = "information") -> None:
        """Show a message for some seconds."""

    def push_screen(self, screen: Screen[Result], callback: Callable[[Result | None], None] | None = None) -> object:
        """Open a dialog; the callback gets what it returns."""

    def suspend(self) -> AbstractContextManager[None]:
        """Leave the terminal to somebody else inside of a context."""


def edit(app: Outside, wrong: str = "") -> None:
    """Open the recipe in the editor and take what comes back. ``wrong``: a text with mistakes, to go on with.

    The file of the recipe is not touched: saving writes it. A training in this process goes on meanwhile.
    """
    editor = app.editor
    command = editor_command()
    if not command:
        app.notify("Set VISUAL or EDITOR to the editor that you use.", severity="warning")
        return
    text = wrong or write_over(editor.recipe, editor.text or _text_of(editor.path))
    try:
        with app.suspend():
            new = edited(command, text, editor.recipe.name)
    except SuspendNotSupported:
        app.notify("This terminal cannot be left to an editor.", severity="warning")
        return
    except OSError as error:
        app.notify(f"{command[0]}: {why(error, Path(command[0]))}", title="No editor", severity="error")
        return
    if new is None:
        app.notify(f"{Path(command[0]).name} ended with an error: nothing was taken.", severity="warning")
    else:
        _take(app, new)


def _take(app: Outside, text: str) -> None:
    editor = app.editor
    try:
        recipe = read_recipe(text, consistent=False)
    except RecipeError as error:
        _ask_again(app, text, error)
        return
    found = difference(editor.recipe, recipe, names=True)
    editor.text = text
    if editor.change(recipe):
        app.recipe_changed()
    words = in_few_words(found)
    app.notify(f"{_count(len(found))}: {words}" if found else "No value was changed.", title=recipe.name)


def _count(changes: int) -> str:
    return "1 change" if changes == 1 else f"{changes} changes"


def _ask_again(app: Outside, text: str, error: RecipeError) -> None:
    def answered(answer: str | None) -> None:
        if answer == "again":
            edit(app, text)

    lines = [f"line {p.line}: {p.path}: {p.message}" if p.line else str(p) for p in error.problems]
    more = [f"… and {len(lines) - MISTAKES} more"] if len(lines) > MISTAKES else []
    question = "\n".join(lines[:MISTAKES] + more)
    app.push_screen(
        ConfirmScreen("The text is no recipe yet", question, [("again", "Edit again")], "Drop what was written"),
        answered,
    )


def editor_command() -> list[str]:
    """The user's editor with its arguments; empty if there is none."""
    for variable in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(variable, "")):
                return words
        except ValueError:  # a quote that is not closed
            continue
    return next(([name] for name in EDITORS if shutil.which(name)), [])


def edited(command: list[str], text: str, name: str) -> str | None:
    """A text as the editor leaves it; None where the editor says that it is not meant. Raises OSError.

    It is given the terminal itself: descriptors 1 and 2 are a log while the screens are up.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = Path(folder) / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        terminal = os.open("/dev/tty", os.O_RDWR)
        try:
            with _deaf_to_ctrl_c():
                done = subprocess.run(
                    [*command, str(path)], stdin=terminal, stdout=terminal, stderr=terminal, check=False
                )
        finally:
            os.close(terminal)
        return path.read_text(encoding="utf-8", errors="replace") if done.returncode == 0 else None


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A key of the editor's, which the terminal sends to us, too. A handler, as a child would go on ignoring."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _text_of(path: Path | None) -> str:
    try:
        return read_text(path) if path is not None else ""
    except (OSError, ValueError):
        return ""
