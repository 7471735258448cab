"""The terminal app: its screens over a recipe being composed and over a run directory."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual.content import Content

from workbench.devices import Gpu, Trouble, gpu_trouble, list_gpus
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.trash import tidy
from workbench.tui.app import leaving
from workbench.tui.app.commands import HelpScreen, places_in_words
from workbench.tui.app.descriptors import Descriptors, keep_traceback
from workbench.tui.app.leaving import NO_SESSION, LeavingApp, Session, SessionFile, chosen_theme, of_editor
from workbench.tui.app.recipe_app import Outside
from workbench.tui.app.training import Execute, QueueWatcher
from workbench.tui.common.actions import Action, bindings
from workbench.tui.common.background import ThreadBroke, WorkDone, start_thread
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import TopBar
from workbench.tui.common.services import Settings
from workbench.tui.common.texts import STATES
from workbench.tui.compose import preview_client
from workbench.tui.compose.examinations import CHECK_COMMAND, DOCTOR_COMMAND
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.profile import measurement
from workbench.tui.profile.measurement import ProfileHeard
from workbench.tui.profile.profiling import Profiling
from workbench.tui.run.tracking import Tracked

if TYPE_CHECKING:
    from textual.screen import Screen

    from workbench.tui.profile.screen import ProfileScreen
    from workbench.tui.run.screen import RunScreen
    from workbench.tui.runs.screen import RunsScreen

STYLES = ("common", "compose", "run", "profile", "runs", "app")


class Workbench(LeavingApp):
    """Holds what outlives a screen: the recipe being composed, the run being watched, the training thread.

    Its bases are the layers of it, each in its file and with no knowledge of the next: the terminal, the devices, the
    recipe, the runs, leaving. The screens know it as :class:`workbench.tui.common.services.Services`. Returns how it
    was left: see :mod:`workbench.tui.app.leaving`.
    """

    TITLE = "workbench"
    CSS_PATH = [Path(__file__).parent.parent / name / f"{name}.tcss" for name in STYLES]
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
        preview_command: Sequence[str] = preview_client.COMMAND,
        profile_command: Sequence[str] = measurement.COMMAND,
        doctor_command: Sequence[str] = DOCTOR_COMMAND,
        check_command: Sequence[str] = CHECK_COMMAND,
        gpus: Callable[[], list[Gpu]] = list_gpus,
        trouble: Callable[[], Trouble | None] = gpu_trouble,
        poll: float = 1.0,
        now: Callable[[], float] = time.time,
        session: Session = NO_SESSION,
        session_path: Path | None = None,
    ) -> None:
        self.MODES = self._modes_by_name()  # type: ignore[misc]
        if watch is not None:
            self.DEFAULT_MODE = "run"  # type: ignore[misc]
        outside = Outside(
            gpus,
            trouble,
            doctor_command,
            preview_command,
            profile_command,
            check_command,
            descriptors=descriptors,
            execute=execute,
        )
        super().__init__(settings, editor, outside, chosen_theme(session, settings.screens), poll)
        self.descriptors = descriptors
        self.now = now
        self.layout: dict[str, dict[str, Any]] = dict(session.screens)
        self.profiling = Profiling(self, profile_command)
        self._watch = watch
        self._session_file = SessionFile(session_path)
        self._queue = QueueWatcher(settings.runs, self.post_message, poll)

    def _modes_by_name(self) -> dict[str, str | Callable[[], Screen[Any]]]:
        """All screens but the first are imported when somebody looks at them."""

        def compose() -> ComposeScreen:
            self.composer = ComposeScreen(self)
            return self.composer

        def run() -> RunScreen:
            from workbench.tui.run.screen import RunScreen

            return RunScreen(self)

        def profile() -> ProfileScreen:
            from workbench.tui.profile.screen import ProfileScreen

            return ProfileScreen(self)

        def runs() -> RunsScreen:
            from workbench.tui.runs.screen import RunsScreen

            return RunsScreen(self)

        return {"compose": compose, "run": run, "profile": profile, "runs": runs}

    def on_mount(self) -> None:
        if self.descriptors is not None:
            self.descriptors.take_streams()
        if self._watch is not None:
            self.track(self._watch)
        else:
            self.look_for_live_run()
        self._timer = self.set_interval(self.data_seconds, self._tick)
        # The first paint must not wait for a process to start.
        self.call_after_refresh(self._client.start)
        self.call_after_refresh(gc.enable)  # off while loading: see workbench.entry
        # Back from the shell the terminal is empty, and Textual draws only what changed.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())
        self.call_after_refresh(self._queue.start)
        self.call_after_refresh(self.read_speeds)
        self.call_after_refresh(start_thread, "tidying the trash", lambda: tidy(self.settings.runs))
        if self.settings.device != "cpu":
            self.look_for_gpus()

    def on_unmount(self) -> None:
        self._client.close()
        self.profiling.stop()
        self._keep_session()
        self._queue.stop()
        if self.tracked is not None:
            self.tracked.stop()

    def broke(self, error: BaseException) -> None:
        """Keep the whole traceback; ``run_app`` says where, when the terminal is back."""
        if self.descriptors is not None:
            keep_traceback(error, self.descriptors.log)

    def on_thread_broke(self, message: ThreadBroke) -> None:
        """Say so; what the thread was to do is missing, the rest works."""
        if self.is_running:
            self.notify(message.text, title="Something broke", severity="error", timeout=20, markup=False)

    def on_work_done(self, message: WorkDone) -> None:
        """Go on with it."""
        if self.is_running:
            message.then()

    def on_profile_heard(self, message: ProfileHeard) -> None:
        """Show it."""
        if self.profiling.hear(message.child, message.heard) and self.is_running:
            self.show_profile()

    def _tick(self) -> None:
        """Once a second: take in what the run said, and see that the terminal is still there."""
        if not self.is_running:
            return
        if self.terminal_gone:
            self.exit(leaving.LOST)
            return
        if self.tracked is not None:
            self.tracked.drain()
            self.show_run()
            if self.tracked.ended_now():
                self.followed_run_ended(self.tracked)
        self._keep_session()
        self.leave_if_stopped()

    def _keep_session(self) -> None:
        """What is on the screens, for the next time in this folder."""
        said = self.settings.screens.theme
        chosen = {"theme": self.theme, "chosen_over": said} if self.theme != said else {}
        problem = self._session_file.keep(replace(of_editor(self.editor), **chosen, screens=self.layout))
        if problem and self.is_running:
            self.notify(
                f"What is on the screens is not kept for the next time: {problem}", severity="warning", markup=False
            )

    # What the screens show

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

    # Actions

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


def top_texts(mode: str, editor: Editor, tracked: Tracked | None) -> tuple[Content, Content]:
    """What a screen is about, and how far the run is."""
    unsaved = (" ● unsaved", "$accent") if editor.unsaved else ""
    about = Content.assemble(editor.recipe.name, unsaved)
    if mode == "run":
        about = Content.styled(tracked.run.name if tracked else "", "$muted")
    if tracked is None or not tracked.live:
        return about, Content("")
    sign, colour = STATES[tracked.state]
    if tracked.waiting is not None:
        return about, Content.assemble((f" {sign} queued", colour))
    return about, Content.assemble((f" {sign} {int(tracked.view.fraction * 100)} %", colour))


def first_editor() -> Editor:
    """What is composed when nothing else is asked for: the packaged quick start."""
    from workbench.recipe import read_recipe_file
    from workbench.runs.find.resolve import resolve_recipe

    path = resolve_recipe("digits")
    return Editor(read_recipe_file(path), origin=path)
