"""The terminal app: screens over a recipe being composed and over a run directory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from textual.app import App, SystemCommand
from textual.content import Content
from textual.driver import Driver
from textual.screen import Screen

from workbench.recipe import Recipe
from workbench.runs.directory import RunDirectory
from workbench.runs.requests import Action as Request
from workbench.tui import files, leaving, running
from workbench.tui.actions import Action, Where, actions, bindings
from workbench.tui.charts import Palette
from workbench.tui.driver import SurvivingDriver
from workbench.tui.editing import Editor
from workbench.tui.fds import Descriptors
from workbench.tui.machine import gpus_in_words
from workbench.tui.messages import GpusSeen, PreviewHeard, TrainingMoved, WorkDone
from workbench.tui.preview_client import COMMAND, PreviewClient
from workbench.tui.preview_state import PreviewState
from workbench.tui.screens.compose import ComposeScreen
from workbench.tui.screens.help import HelpScreen
from workbench.tui.screens.run import RunScreen
from workbench.tui.screens.runs import RunsScreen
from workbench.tui.settings import Settings
from workbench.tui.theme import MUTED, WORKBENCH, palette
from workbench.tui.tracking import Tracked
from workbench.tui.training import Execute, Training
from workbench.tui.widgets.run_head import STATES
from workbench.tui.widgets.top_bar import TopBar
from workbench.tui.words import place


class Workbench(App[str]):
    """Holds what outlives a screen: the recipe being composed, the run being watched, the training thread.

    Returns how it was left: see :mod:`workbench.tui.leaving`.
    """

    TITLE = "workbench"
    CSS_PATH = ["styles/base.tcss", "styles/compose.tcss", "styles/run.tcss", "styles/runs.tcss", "styles/dialogs.tcss"]
    MODES = {"compose": ComposeScreen, "run": RunScreen, "runs": RunsScreen}
    DEFAULT_MODE = "compose"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = bindings("app")

    def __init__(
        self,
        settings: Settings,
        editor: Editor,
        *,
        watch: RunDirectory | None = None,
        descriptors: Descriptors | None = None,
        execute: Execute | None = None,
        preview_command: Sequence[str] = COMMAND,
        poll: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        if watch is not None:
            self.DEFAULT_MODE = "run"  # type: ignore[misc]
        super().__init__()
        self.settings = settings
        self.editor = editor
        self.composer: ComposeScreen | None = None
        self.training: Training | None = None
        self.tracked: Tracked | None = None
        self.leaving = ""
        self.now = now
        self._watch = watch
        self.descriptors = descriptors
        self.execute = execute
        self.poll = poll
        log = descriptors.log if descriptors is not None else None
        self._client = PreviewClient(lambda reply: self.post_message(PreviewHeard(reply)), log, preview_command)
        self.preview = PreviewState(self._client.ask, tuple(map(str, settings.plugins)), settings.data_root)
        self.register_theme(WORKBENCH)
        self.theme = WORKBENCH.name

    def get_driver_class(self) -> type[Driver]:
        """Our own driver on a terminal; whatever Textual is told to use elsewhere."""
        kind = super().get_driver_class()
        return SurvivingDriver if issubclass(SurvivingDriver, kind) else kind

    def on_mount(self) -> None:
        if self.descriptors is not None:
            self.descriptors.take_streams()
        if self._watch is not None:
            self.track(self._watch)
        self.set_interval(self.poll, self._tick)
        # The first paint must not wait for a process to start.
        self.call_after_refresh(self._client.start)
        if self.settings.device != "cpu":
            threading.Thread(target=self._look_for_gpus, daemon=True, name="gpus").start()

    def on_unmount(self) -> None:
        self._client.close()
        if self.tracked is not None:
            self.tracked.stop()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What our styles need of any theme."""
        return {"muted": MUTED}

    @property
    def palette(self) -> Palette:
        """The charts' colours in the theme in use."""
        return palette(self.theme_variables)

    def _look_for_gpus(self) -> None:
        self.post_message(GpusSeen(gpus_in_words()))

    def on_gpus_seen(self, message: GpusSeen) -> None:
        """Show it."""
        if self.composer is not None and self.is_running:
            self.composer.show_device(message.words)

    # The recipe

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

    # The run

    def start_run(self) -> None:
        """Train the recipe, unless something speaks against it."""
        running.start(self)

    def resume_run(self, run: RunDirectory) -> None:
        """Go on with a run that ended before its time, in this process."""
        running.resume(self, run)

    def watch_run(self, run: RunDirectory) -> None:
        """Show a run, whoever trains it, on the Run screen."""
        self.track(run)
        self.action_show("run")

    def on_training_moved(self, message: TrainingMoved) -> None:
        """Watch a new run; say how one ended."""
        running.moved(self, message.training)

    def ask_run(self, what: Request) -> None:
        """Ask the run on screen for something, wherever it is trained."""
        running.ask_for(self, what)

    def track(self, run: RunDirectory) -> None:
        """Follow a run from now on."""
        if self.tracked is not None:
            if self.tracked.run == run:
                self.tracked.hurry()
                return
            self.tracked.stop()
        self.tracked = Tracked(run, self.poll)
        self.tracked.start()
        self.show_run()
        self.set_timer(min(0.2, self.poll), self._tick)  # the first reading is there before the first turn

    def forget_runs(self, gone: Iterable[RunDirectory]) -> None:
        """Runs were deleted; the Run screen shows none of them any more."""
        if self.tracked is not None and self.tracked.run.path.resolve() in {run.path.resolve() for run in gone}:
            self.tracked.stop()
            self.tracked = None
            self.show_run()

    def _tick(self) -> None:
        """Once a second: take in what the run said, and see that the terminal is still there."""
        if not self.is_running:
            return
        if isinstance(self._driver, SurvivingDriver) and self._driver.terminal_gone():
            self.exit(leaving.LOST)
            return
        if self.tracked is not None:
            self.tracked.drain()
            self.show_run()
        leaving.go_if_stopped(self)

    def show_run(self) -> None:
        """What is known of the run on screen."""
        for screen in self.screen_stack:  # also behind a dialog
            if isinstance(screen, RunScreen):
                screen.refresh_run()
        self.refresh_top()

    def refresh_top(self) -> None:
        """The first line of the screen in front."""
        for bar in self.screen.query(TopBar):
            bar.show(self._about(), self._progress())

    def _about(self) -> Content:
        if self.current_mode == "run":
            return Content.styled(self.tracked.run.name if self.tracked else "", "$muted")
        if isinstance(self.screen, RunsScreen):
            return self.screen.about()
        unsaved = (" ● unsaved", "$accent") if self.editor.unsaved else ""
        return Content.assemble(self.editor.recipe.name, unsaved)

    def _progress(self) -> Content:
        tracked = self.tracked
        if tracked is None or not tracked.live:
            return Content("")
        sign, colour = STATES[tracked.state]
        return Content.assemble((f" {sign} {int(tracked.view.fraction * 100)} %", colour))

    def on_work_done(self, message: WorkDone) -> None:
        """Go on with it."""
        if self.is_running:
            message.then()

    # Actions

    def action_show(self, mode: str) -> None:
        """Go to a screen."""
        if mode != self.current_mode:
            self.switch_mode(mode)

    def action_help(self) -> None:
        """All keys of the screen."""
        settings = self.settings
        places = Content.assemble(
            ("\n  runs    ", "bold"), place(settings.runs, 60), ("\n  data    ", "bold"), place(settings.data_root, 60),
            ("\n  device  ", "bold"), settings.device,
        )  # fmt: skip

        def chosen(action: Action | None) -> None:
            if action is not None:
                self.call_later(self.run_action, action.full_name, self.screen)

        self.push_screen(HelpScreen(self._where(), places), chosen)

    def action_leave(self) -> None:
        """Leave, after asking what has to be asked."""
        leaving.leave(self)

    def open_recipe(self) -> None:
        """Choose a recipe."""
        files.open_recipe(self)

    def save_recipe(self, *, ask: bool = False) -> None:
        """Write the recipe; ``ask`` where."""
        files.save(self, ask=ask)

    def _where(self) -> Where:
        return self.current_mode if self.current_mode in ("run", "runs") else "compose"  # type: ignore[return-value]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: the actions of the registry, and the choice of colours."""
        for action in actions(self._where()):
            if action.palette:
                name, _, rest = action.about.partition(":")

                async def run(name: str = action.full_name) -> None:
                    await self.run_action(name, screen)

                yield SystemCommand(name, rest.strip() or f"key {action.shown_key}", run)
        yield SystemCommand("Colours", "Choose a theme", self.action_change_theme)


def first_recipe() -> Recipe:
    """What is composed when nothing else is asked for: the packaged quick start."""
    from workbench.places import resolve_recipe
    from workbench.recipe import read_recipe_file

    return read_recipe_file(resolve_recipe("digits"))
