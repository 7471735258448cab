"""Opening and saving, as far as it needs the app."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.filesystem import why
from workbench.places import saved_recipes
from workbench.recipe import save_recipe
from workbench.tui.common.dialogs import ConfirmScreen
from workbench.tui.compose.files import Opened, OpenScreen, Saved, SaveScreen, writable

if TYPE_CHECKING:
    from workbench.tui.app.workbench import Workbench


def open_recipe(app: Workbench) -> None:
    """Choose a recipe; what is not saved is asked about first."""

    def opened(result: Opened | None) -> None:
        if result is not None:
            recipe, path = result
            app.editor.open(recipe, writable(path))
            app.recipe_changed()

    unless_unsaved(app, "open another recipe", lambda: app.push_screen(OpenScreen(), opened))


def save(app: Workbench, *, ask: bool = False, then: Callable[[], object] = lambda: None) -> None:
    """Write the recipe to its file, or ask where; ``then`` follows where something was written."""
    editor = app.editor

    def saved(result: Saved | None) -> None:
        if result is None:
            return
        recipe, path = result
        editor.saved(recipe, path)
        app.notify(f"saved as {path}")
        app.recipe_changed()
        then()

    if ask or editor.path is None:
        app.push_screen(SaveScreen(editor.recipe, editor.path or saved_recipes() / f"{editor.recipe.name}.toml"), saved)
        return
    try:
        save_recipe(editor.recipe, editor.path)
    except OSError as error:
        app.notify(f"{editor.path}: cannot be written: {why(error, editor.path)}", severity="error")
        return
    saved((editor.recipe, editor.path))


def unless_unsaved(app: Workbench, what: str, then: Callable[[], object]) -> None:
    """Do something that forgets the present recipe; if it is not saved, ask first."""
    if not app.editor.unsaved:
        then()
        return

    def answered(answer: str | None) -> None:
        if answer == "save":
            save(app, then=then)
        elif answer == "discard":
            then()

    name = app.editor.recipe.name
    answers = [("save", f"Save, then {what}"), ("discard", f"{what[0].upper()}{what[1:]} without saving")]
    question = f"{name} has changes that are not saved."
    app.push_screen(ConfirmScreen("Unsaved changes", question, answers, loses={"discard"}), answered)
