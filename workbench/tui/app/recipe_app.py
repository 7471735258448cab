"""The recipe of the app: opened, saved, previewed by another process; the machine for it, its GPUs and speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.devices import Gpu, Trouble
from workbench.filesystem import why
from workbench.paths import saved_recipes
from workbench.recipe import Recipe, save_recipe
from workbench.recipe.execution import Execution, execution
from workbench.recipe.starting import blank, starting
from workbench.runs.find.speed import Estimate, Speed, Speeds, estimate
from workbench.runs.find.trained import Trained, TrainedRuns, like
from workbench.tui.app.descriptors import Descriptors
from workbench.tui.app.terminal_app import TerminalApp
from workbench.tui.app.training import Execute
from workbench.tui.common.background import aside
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Settings
from workbench.tui.compose import files
from workbench.tui.compose.devices import DeviceScreen, cuda_numbers, gpu_lines, gpus_in_words
from workbench.tui.compose.examinations import examine_machine, examine_recipe
from workbench.tui.compose.files import Saved, SaveScreen, writable
from workbench.tui.compose.form_screen import FormScreen
from workbench.tui.compose.opening import Opened, OpenScreen
from workbench.tui.compose.preview_client import PreviewClient, PreviewHeard
from workbench.tui.compose.preview_state import PreviewState
from workbench.tui.compose.screen import ComposeScreen


@dataclass(frozen=True)
class Outside:
    """gpus, trouble: ask the driver. The commands are started as processes of their own. descriptors: None where the
    terminal is not ours. execute: trains a run; None for the engine's own.
    """

    gpus: Callable[[], list[Gpu]]
    trouble: Callable[[], Trouble | None]
    doctor_command: Sequence[str]
    preview_command: Sequence[str]
    profile_command: Sequence[str]
    check_command: Sequence[str]
    descriptors: Descriptors | None
    execute: Execute | None


class DeviceApp(TerminalApp):
    """Looks and reads in threads, never in the UI's own."""

    def __init__(self, settings: Settings, outside: Outside, theme: str = "", poll: float = 1.0) -> None:
        super().__init__(settings, theme, poll)
        self.device = settings.device
        self.gpus: list[Gpu] | None = None
        self.trouble: Trouble | None = None
        self._outside = outside
        self._speeds = Speeds(settings.runs)
        self._measured: list[Speed] = []
        self._trained_runs = TrainedRuns(settings.runs)
        self._trained: list[Trained] = []

    def look_for_gpus(self) -> None:
        """See which GPUs there are, and who uses them."""
        aside(
            self, "gpus", lambda: (self._outside.gpus(), self._outside.trouble()), lambda found: self.gpus_seen(*found)
        )

    def gpus_seen(self, gpus: list[Gpu], trouble: Trouble | None) -> None:
        """Show them, also where a device is being chosen just now."""
        self.gpus, self.trouble = gpus, trouble
        self.machine_changed()
        if self.screen_stack and isinstance(dialog := self.screen_stack[-1], DeviceScreen):
            dialog.show_gpus(gpus, cuda_numbers(gpus), trouble)

    @property
    def refusal(self) -> str:
        """Why nothing can be trained on the device as it is chosen, as far as that is certain; "" if it can."""
        return self.trouble.text if self.device != "cpu" and self.trouble is not None and self.trouble.certain else ""

    def choose_device(self) -> None:
        """Choose the device of the next run, at once, among the GPUs as they were seen last; look at them anew."""

        def chosen(device: str | None) -> None:
            if device is None:
                return
            self.device = device
            self.machine_changed()
            gpus = self.gpus or []
            gpu = next((gpu for gpu, n in zip(gpus, cuda_numbers(gpus), strict=True) if device == f"cuda:{n}"), None)
            if gpu is not None and gpu.processes:
                self.notify(f"{device} is {gpu_lines(gpu)[1]}", severity="warning")

        gpus = self.gpus or []
        dialog = DeviceScreen(
            gpus, cuda_numbers(gpus), self.device, self.trouble, looking=True, examine=self.examine_machine
        )
        self.push_screen(dialog, chosen)
        self.look_for_gpus()

    def examine_machine(self) -> None:
        """Look the whole machine over, and show the report as it comes."""
        examine_machine(self, self.settings, self.device, self._outside.doctor_command)

    def read_speeds(self) -> None:
        """How fast runs were, for the time that the next one takes, and what was trained already."""
        aside(
            self, "speeds", lambda: (self._speeds.read(), self._trained_runs.read()), lambda read: self.runs_read(*read)
        )

    def runs_read(self, speeds: list[Speed], trained: list[Trained]) -> None:
        """Show what follows for the recipe."""
        self._measured, self._trained = speeds, trained
        self.machine_changed()

    def trained_like(self, recipe: Recipe) -> list[Trained]:
        """The finished runs that trained the same as a recipe, newest first."""
        return like(recipe, self._trained)

    def machine_changed(self) -> None:
        """More is known, or another device was chosen; whoever shows it overrides this."""

    def estimate_for(self, recipe: Recipe, multiply_adds: int | None) -> Estimate | None:
        """How fast a recipe would train; None where nothing was measured."""
        return estimate(recipe, multiply_adds, self._likely_device, self._measured)

    def execution_of(self, recipe: Recipe, training_images: int) -> Execution:
        """How a recipe's steps would be executed."""
        return execution(recipe, self._likely_device, training_images)

    @property
    def _likely_device(self) -> str:
        """The device of the next run, as far as that is known."""
        return ("cuda:0" if self.gpus else "cpu") if self.device == "auto" else self.device


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
        files.edit(self)

    def test_recipe(self, check: str) -> None:
        """Make a check that takes some seconds, and show what it says."""
        if problems := self.editor.conflicts():
            self.notify(f"{problems[0].message}; {self.key('compose.fix')} solves it", severity="warning")
            return
        examine_recipe(self, self.settings, self.device, self.editor.recipe, check, self._outside.check_command)

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
