"""The recipe of the app: opened, saved, never lost without a question, and previewed by a process of its own."""

from __future__ import annotations

from collections.abc import Callable

from workbench.filesystem import why
from workbench.paths import saved_recipes
from workbench.recipe import Recipe, save_recipe
from workbench.recipe.execution import Execution
from workbench.recipe.starting import blank, starting
from workbench.runs.find.speed import Estimate
from workbench.tui.app.device_app import DeviceApp
from workbench.tui.app.outside import Outside
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Settings
from workbench.tui.compose import by_hand, trials
from workbench.tui.compose.devices import gpus_in_words
from workbench.tui.compose.files import Saved, SaveScreen, writable
from workbench.tui.compose.form_screen import FormScreen
from workbench.tui.compose.opening import Opened, OpenScreen
from workbench.tui.compose.preview_client import PreviewClient, PreviewHeard
from workbench.tui.compose.preview_state import PreviewState
from workbench.tui.compose.screen import ComposeScreen


class RecipeApp(DeviceApp):
    """composer: the Compose screen, once somebody has looked at it."""

    def __init__(
        self, settings: Settings, editor: Editor, outside: Outside, theme: str = "", poll: float = 1.0
    ) -> None:
        super().__init__(settings, outside, theme, poll)
        self.editor = editor
        self.composer: ComposeScreen | None = None
        log = outside.descriptors.log if outside.descriptors is not None else None
        self._client = PreviewClient(lambda reply: self.post_message(PreviewHeard(reply)), log, outside.preview_command)
        self.preview = PreviewState(self._client.ask, tuple(map(str, settings.plugins)), settings.data_root)

    def recipe_changed(self) -> None:
        """Another recipe, or the same under another name."""
        if not self.editor.conflicts():
            self.clear_notifications()  # what they warned of is gone
        if self.composer is not None:
            self.composer.refresh_recipe()

    def on_preview_heard(self, message: PreviewHeard) -> None:
        """Show it."""
        if self.preview.hear(message.reply) and self.composer is not None and self.is_running:
            self.composer.refresh_preview()

    def machine_changed(self) -> None:
        """Show what is known of devices and speeds."""
        if self.composer is not None:
            trouble = None if self.device == "cpu" else self.trouble
            self.composer.show_device("" if self.gpus is None else gpus_in_words(self.gpus, trouble))
            self.composer.refresh_preview()

    def estimate(self) -> Estimate | None:
        """How fast the recipe would train; None where nothing was measured, or nothing is known of the recipe."""
        static = self.preview.picture.static
        return self.estimate_for(self.editor.recipe, static.multiply_adds) if static else None

    def execution(self) -> Execution | None:
        """How the recipe's steps would be executed; None where nothing is known of the recipe."""
        static = self.preview.picture.static
        return self.execution_of(self.editor.recipe, static.training_images) if static else None

    def open_recipe(self) -> None:
        """Choose a recipe; what is not saved is asked about first."""

        def opened(result: Opened | None) -> None:
            if result is not None:
                recipe, path = result
                self.editor.open(recipe, writable(path), path)
                self.recipe_changed()

        self.unless_unsaved("open another recipe", lambda: self.push_screen(OpenScreen(self.trained_like), opened))

    def new_recipe(self) -> None:
        """Start a recipe from a data source and a model; what is not saved is asked about first."""

        def chosen(recipe: Recipe | None) -> None:
            if recipe is not None:
                self.editor.open(starting(recipe), None)
                self.recipe_changed()

        def ask() -> None:
            self.push_screen(FormScreen(blank(self.editor.recipe), "new", self.settings.roots), chosen)

        self.unless_unsaved("start a new recipe", ask)

    def edit_text(self) -> None:
        """The recipe's TOML in the user's own editor; what comes back is a change like any other."""
        by_hand.edit(self)

    def test_recipe(self, check: str) -> None:
        """Make a check that takes some seconds, and show what it says."""
        if problems := self.editor.conflicts():
            self.notify(f"{problems[0].message}; {self.key('compose.fix')} solves it", severity="warning")
            return
        trials.test(self, self.settings, self.device, self.editor.recipe, check, self._outside.check_command)

    def save_recipe(self, *, ask: bool = False, then: Callable[[], object] = lambda: None) -> None:
        """Write the recipe to its file, or ask where; ``then`` follows where something was written."""
        editor = self.editor

        def saved(result: Saved | None) -> None:
            if result is None:
                return
            recipe, path = result
            editor.saved(recipe, path)
            self.notify(f"saved as {path}")
            self.recipe_changed()
            then()

        if ask or editor.path is None:
            path = editor.path or saved_recipes() / f"{editor.recipe.name}.toml"
            self.push_screen(SaveScreen(editor.recipe, path, editor.toml()), saved)
            return
        try:
            save_recipe(editor.recipe, editor.path, editor.text or None)
        except OSError as error:
            self.notify(f"{editor.path}: cannot be written: {why(error, editor.path)}", severity="error")
            return
        saved((editor.recipe, editor.path))

    def unless_unsaved(self, what: str, then: Callable[[], object]) -> None:
        """Do something that forgets the present recipe; if it is not saved, ask first."""
        if self.editor.draft:
            self._without_draft(what, lambda: self.unless_unsaved(what, then))
            return
        if not self.editor.unsaved:
            then()
            return

        def answered(answer: str | None) -> None:
            if answer == "save":
                self.save_recipe(then=then)
            elif answer == "discard":
                then()

        name = self.editor.recipe.name
        answers = [("save", f"Save, then {what}"), ("discard", f"{what[0].upper()}{what[1:]} without saving")]
        question = f"{name} has changes that are not saved."
        self.push_screen(ConfirmScreen("Unsaved changes", question, answers, loses={"discard"}), answered)

    def _without_draft(self, what: str, then: Callable[[], object]) -> None:
        """Ask what becomes of a text with mistakes, which nothing but this session keeps."""

        def answered(answer: str | None) -> None:
            if answer == "edit":
                self.edit_text()
            elif answer == "drop":
                self.editor.draft = ""
                then()

        answers = [("edit", "Edit it again"), ("drop", f"Drop it, then {what}")]
        question = f"What you wrote of {self.editor.recipe.name} has mistakes and is not part of it yet."
        self.push_screen(ConfirmScreen("A text that is no recipe yet", question, answers, loses={"drop"}), answered)
