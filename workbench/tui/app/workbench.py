"""The terminal app: screens over a recipe being composed and over a run directory."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workbench.devices import Gpu, Trouble, gpu_trouble, list_gpus
from workbench.filesystem import absolute
from workbench.recipe import Recipe
from workbench.recipe.execution import Execution
from workbench.runs.directory import RunDirectory
from workbench.runs.files import Claim
from workbench.runs.requests import Action as Request
from workbench.runs.speed import Estimate
from workbench.tui.app import crash, leaving, queueing
from workbench.tui.app import leaving as suspending
from workbench.tui.app import recipe_app as files
from workbench.tui.app import training_app as running
from workbench.tui.app.descriptors import Descriptors
from workbench.tui.app.device_app import DeviceApp
from workbench.tui.app.help import HelpScreen, places_in_words
from workbench.tui.app.session import NO_SESSION, Session, chosen_theme, keep
from workbench.tui.app.training import Execute, Training
from workbench.tui.common import clipboard
from workbench.tui.common.actions import Action, bindings
from workbench.tui.common.bars import TopBar, top_texts
from workbench.tui.common.editor import Editor
from workbench.tui.common.messages import (
    DeviceFree,
    LiveRunSeen,
    PreviewHeard,
    ProfileHeard,
    QueueMoved,
    RunSent,
    ThreadBroke,
    TrainingMoved,
    WorkDone,
)
from workbench.tui.common.services import Settings
from workbench.tui.compat.terminal import SurvivingDriver
from workbench.tui.compose import doctor as examining
from workbench.tui.compose.devices import gpus_in_words
from workbench.tui.compose.preview_client import COMMAND, PreviewClient
from workbench.tui.compose.preview_state import PreviewState
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.profile import profiling as profile_child
from workbench.tui.profile.profiling import Profiling
from workbench.tui.run.tracking import Tracked
from workbench.tui.runs import manage as run_care

if TYPE_CHECKING:
    from textual.screen import Screen

    from workbench.tui.profile.screen import ProfileScreen
    from workbench.tui.run.screen import RunScreen
    from workbench.tui.runs.screen import RunsScreen


def _run() -> RunScreen:
    from workbench.tui.run.screen import RunScreen

    return RunScreen()


def _profile() -> ProfileScreen:
    from workbench.tui.profile.screen import ProfileScreen

    return ProfileScreen()


def _runs() -> RunsScreen:
    from workbench.tui.runs.screen import RunsScreen

    return RunsScreen()


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    "compose": ComposeScreen,
    "run": _run,
    "profile": _profile,
    "runs": _runs,
}

STYLES = Path(__file__).parent.parent


class Workbench(DeviceApp):
    """Holds what outlives a screen: the recipe being composed, the run being watched, the training thread.

    Returns how it was left: see :mod:`workbench.tui.app.leaving`.
    """

    TITLE = "workbench"
    CSS_PATH = [
        STYLES / f"{name}.tcss"
        for name in ("common/base", "compose/compose", "run/run", "profile/profile", "runs/runs", "common/dialogs")
    ]
    MODES = MODES
    DEFAULT_MODE = "compose"
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
        profile_command: Sequence[str] = profile_child.COMMAND,
        doctor_command: Sequence[str] = examining.COMMAND,
        gpus: Callable[[], list[Gpu]] = list_gpus,
        trouble: Callable[[], Trouble | None] = gpu_trouble,
        poll: float = 1.0,
        now: Callable[[], float] = time.time,
        session: Session = NO_SESSION,
        session_path: Path | None = None,
    ) -> None:
        if watch is not None:
            self.DEFAULT_MODE = "run"  # type: ignore[misc]
        super().__init__(settings, chosen_theme(session, settings.screens), poll, gpus, trouble)
        self.editor = editor
        self.composer: ComposeScreen | None = None
        self.training: Training | None = None
        self.begun_in = ""
        self.training_begun: Callable[[], None] = lambda: None
        self.tracked: Tracked | None = None
        self.leaving = ""
        self.queue_hold: Claim | None = None
        self.now = now
        self._watch = watch
        self.descriptors = descriptors
        self.execute = execute
        self.layout: dict[str, dict[str, Any]] = dict(session.screens)
        self.session_path = session_path
        self.kept, self.not_kept = "", ""
        self.profile_command = profile_command
        self.doctor_command = doctor_command
        self.profiling = Profiling(self)
        log = descriptors.log if descriptors is not None else None
        self._queue = queueing.QueueWatcher(settings.runs, self.post_message, poll)
        self._client = PreviewClient(lambda reply: self.post_message(PreviewHeard(reply)), log, preview_command)
        self.preview = PreviewState(self._client.ask, tuple(map(str, settings.plugins)), settings.data_root)

    def on_mount(self) -> None:
        if self.descriptors is not None:
            self.descriptors.take_streams()
        if self._watch is not None:
            self.track(self._watch)
        else:
            running.look_for_live(self)
        self._timer = self.set_interval(self.data_seconds, self._tick)
        # The first paint must not wait for a process to start.
        self.call_after_refresh(self._client.start)
        self.call_after_refresh(gc.enable)  # off while loading: see workbench.entry
        # Back from the shell the terminal is empty, and Textual draws only what changed.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())
        self.call_after_refresh(self._queue.start)
        self.call_after_refresh(self.read_speeds)
        self.call_after_refresh(run_care.tidy_trash, self)
        if self.settings.device != "cpu":
            self.look_for_gpus()

    def on_unmount(self) -> None:
        self._client.close()
        self.profiling.stop()
        keep(self)
        self._queue.stop()
        if self.tracked is not None:
            self.tracked.stop()

    def broke(self, error: BaseException) -> None:
        """Keep the whole traceback; ``run_app`` says where, when the terminal is back."""
        if self.descriptors is not None:
            crash.keep(error, self.descriptors.log)

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

    def on_profile_heard(self, message: ProfileHeard) -> None:
        """Show it."""
        if self.profiling.hear(message.child, message.heard) and self.is_running:
            self.show_profile()

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

    def on_live_run_seen(self, message: LiveRunSeen) -> None:
        """A run goes on that this session did not start."""
        running.live_seen(self, message.run)

    def on_training_moved(self, message: TrainingMoved) -> None:
        """Watch a new run; say how one ended."""
        running.moved(self, message.training)

    def on_device_free(self, message: DeviceFree) -> None:
        """Offer another device for the run that is wanted."""
        queueing.seen(message)

    def on_run_sent(self, message: RunSent) -> None:
        """Say what became of a run that was handed over."""
        if self.is_running:
            self.notify(message.text, severity="error" if message.failed else "information")

    def on_queue_moved(self, message: QueueMoved) -> None:
        """Say what the queue did."""
        queueing.moved(self, message)

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
        self.tracked = Tracked(run, self.data_seconds)
        self.tracked.start()
        self.show_run()
        self.set_timer(min(0.2, self.poll), self._tick)  # the first reading is there before the first turn

    def forget_runs(self, gone: Iterable[RunDirectory]) -> None:
        """Runs were deleted; the Run screen shows none of them any more."""
        if self.tracked is not None and absolute(self.tracked.run.path) in {absolute(run.path) for run in gone}:
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
        keep(self)
        leaving.go_if_stopped(self)

    def show_run(self) -> None:
        """What is known of the run on screen."""
        if (screen := self._base("run")) is not None:
            cast("RunScreen", screen).refresh_run()
        self.show_profile()
        self.refresh_top()

    def show_profile(self) -> None:
        """What is known of where the time goes."""
        if (screen := self._base("profile")) is not None:
            cast("ProfileScreen", screen).refresh_profile()

    def _base(self, mode: str) -> Screen[Any] | None:
        """The screen of a mode if it is in front, or only behind a dialog; None too before the first one is there."""
        stack = self.screen_stack
        return stack[0] if stack and self.current_mode == mode else None

    def refresh_top(self) -> None:
        """The first line of the screen in front."""
        about, running = top_texts(self.current_mode, self.editor, self.tracked)
        if (runs := self._base("runs")) is not None:
            about = cast("RunsScreen", runs).about()
        for screen in self.screen_stack:  # also behind a dialog
            for bar in screen.query(TopBar):
                bar.show(about, running)

    def on_thread_broke(self, message: ThreadBroke) -> None:
        """Say so; what the thread was to do is missing, the rest works."""
        if self.is_running:
            self.notify(message.text, title="Something broke", severity="error", timeout=20, markup=False)

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

        def chosen(action: Action | None) -> None:
            if action is not None:
                self.call_later(self.run_action, action.full_name, self.screen)

        places = places_in_words(self.settings.runs, self.settings.data_root, self.device)
        self.push_screen(HelpScreen(self.actions(), places), chosen)

    def action_slow_link(self) -> None:
        """Send less, or as much as usual again."""
        self.slow = not self.slow
        self._timer.stop()
        self._timer = self.set_interval(self.data_seconds, self._tick)
        if self.tracked is not None:
            self.tracked.follow_every(self.data_seconds)
        self.notify(f"Figures and charts now change every {self.data_seconds:g} s; keys are as fast as ever.")

    def action_leave(self) -> None:
        """Leave, after asking what has to be asked."""
        leaving.leave(self)

    def action_interrupt(self) -> None:
        """Ctrl-C: copy what is selected, else ask whether to leave."""
        if text := self.screen.get_selected_text():
            clipboard.send(self, text)
            self.notify("copied")
        else:
            leaving.ask(self)

    def action_suspend(self) -> None:
        """Ctrl-Z: back to the shell for a while."""
        suspending.suspend(self)

    def open_recipe(self) -> None:
        """Choose a recipe."""
        files.open_recipe(self)

    def save_recipe(self, *, ask: bool = False) -> None:
        """Write the recipe; ``ask`` where."""
        files.save(self, ask=ask)


def first_recipe() -> Recipe:
    """What is composed when nothing else is asked for: the packaged quick start."""
    from workbench.places import resolve_recipe
    from workbench.recipe import read_recipe_file

    return read_recipe_file(resolve_recipe("digits"))
