"""The terminal app: screens over a recipe being composed and over a run directory."""

from __future__ import annotations

import dataclasses
import gc
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate
from textual.app import App, SystemCommand
from textual.content import Content
from textual.driver import Driver
from textual.screen import Screen
from textual.widgets import Input

from workbench.devices import Gpu, list_gpus
from workbench.recipe import Recipe
from workbench.runs.directory import RunDirectory
from workbench.runs.files import Claim
from workbench.runs.requests import Action as Request
from workbench.runs.speed import Estimate, Speed, Speeds, estimate
from workbench.tui import choosing, clipboard, files, leaving, queueing, running, suspending
from workbench.tui.actions import Action, Where, actions, bindings
from workbench.tui.charts import Palette
from workbench.tui.driver import SurvivingDriver
from workbench.tui.editing import Editor
from workbench.tui.fds import Descriptors
from workbench.tui.machine import gpus_in_words
from workbench.tui.messages import (
    DevicesSeen,
    GpusSeen,
    LiveRunSeen,
    PreviewHeard,
    QueueMoved,
    RunSent,
    SpeedsRead,
    TrainingMoved,
)
from workbench.tui.preview_client import COMMAND, PreviewClient
from workbench.tui.preview_state import PreviewState
from workbench.tui.screens.compose import ComposeScreen
from workbench.tui.screens.help import HelpScreen
from workbench.tui.screens.run import RunScreen
from workbench.tui.screens.too_small import TooSmallScreen, too_small
from workbench.tui.session import NO_SESSION, Session, keep
from workbench.tui.settings import Settings
from workbench.tui.theme import MUTED, THEMES, WORKBENCH, palette
from workbench.tui.tracking import Tracked
from workbench.tui.training import Execute, Training
from workbench.tui.updates import CroppedUpdate
from workbench.tui.widgets.top_bar import TopBar, top_texts
from workbench.tui.words import place

SLOW = 5
"""Times less often that a slow link is sent figures and charts."""


class Workbench(App[str]):
    """Holds what outlives a screen: the recipe being composed, the run being watched, the training thread.

    Returns how it was left: see :mod:`workbench.tui.leaving`.
    """

    TITLE = "workbench"
    CSS_PATH = ["styles/base.tcss", "styles/compose.tcss", "styles/run.tcss", "styles/dialogs.tcss"]
    MODES = {"compose": ComposeScreen, "run": RunScreen}
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
        gpus: Callable[[], list[Gpu]] = list_gpus,
        poll: float = 1.0,
        now: Callable[[], float] = time.time,
        session: Session = NO_SESSION,
        session_path: Path | None = None,
    ) -> None:
        if watch is not None:
            self.DEFAULT_MODE = "run"  # type: ignore[misc]
        super().__init__()
        self.settings = settings
        self.device = settings.device
        self.gpus: list[Gpu] | None = None
        self.editor = editor
        self.composer: ComposeScreen | None = None
        self.training: Training | None = None
        self.tracked: Tracked | None = None
        self.leaving = ""
        self.queue_hold: Claim | None = None
        self.now = now
        self._watch = watch
        self._choosing = False
        self._list_gpus = gpus
        self._speeds = Speeds(settings.runs)
        self.measured: list[Speed] = []
        self.descriptors = descriptors
        self.execute = execute
        self._poll = poll
        self._slow = settings.screens.link == "slow"
        self.layout: dict[str, dict[str, Any]] = dict(session.screens)
        self.session_path = session_path
        self.kept = ""
        log = descriptors.log if descriptors is not None else None
        self._queue = queueing.QueueWatcher(settings.runs, self.post_message, poll)
        self._client = PreviewClient(lambda reply: self.post_message(PreviewHeard(reply)), log, preview_command)
        self.preview = PreviewState(self._client.ask, tuple(map(str, settings.plugins)), settings.data_root)
        for theme in THEMES:
            self.register_theme(theme)
        wanted = (session.theme, settings.screens.theme, WORKBENCH.name)
        self.theme = next(name for name in wanted if name in self.available_themes)
        self.set_class(settings.ascii, "-ascii")
        self.set_keymap(dict(settings.keymap))

    def get_driver_class(self) -> type[Driver]:
        """Our own driver on a terminal; whatever Textual is told to use elsewhere."""
        kind = super().get_driver_class()
        return SurvivingDriver if issubclass(SurvivingDriver, kind) else kind

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        update = CroppedUpdate.of(renderable) if type(renderable) is ChopsUpdate else renderable
        super()._display(screen, update)

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
        if self.settings.device != "cpu":
            threading.Thread(target=self._look_for_gpus, daemon=True, name="gpus").start()

    def on_unmount(self) -> None:
        self._client.close()
        keep(self)
        self._queue.stop()
        if self.tracked is not None:
            self.tracked.stop()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What our styles need of any theme."""
        return {"muted": MUTED}

    @property
    def palette(self) -> Palette:
        """The charts' colours in the theme in use."""
        return dataclasses.replace(palette(self.theme_variables), ascii=self.settings.ascii)

    @property
    def data_seconds(self) -> float:
        """How often figures and charts may change on the screen; keys never wait for it."""
        return self._poll * (SLOW if self._slow else 1)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that is too small says so instead of showing rubble."""
        if too_small(event.size) and not isinstance(self.screen, TooSmallScreen):
            self.push_screen(TooSmallScreen())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A blinking cursor would send bytes for ever."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def _look_for_gpus(self) -> None:
        self.post_message(GpusSeen(self._list_gpus()))

    def on_gpus_seen(self, message: GpusSeen) -> None:
        """Show it."""
        self.gpus = message.gpus
        if not self.is_running:
            return
        if self.composer is not None:
            self.composer.show_device(gpus_in_words(message.gpus))
        if self._choosing:
            self._choosing = False
            choosing.choose(self)

    def choose_device(self) -> None:
        """Choose the device of the next run; the GPUs are looked at anew, in a thread."""
        if not self._choosing:
            self._choosing = True
            threading.Thread(target=self._look_for_gpus, daemon=True, name="gpus").start()

    def read_speeds(self) -> None:
        """How fast runs were, for the time that the next one takes; read in a thread."""
        threading.Thread(
            target=lambda: self.post_message(SpeedsRead(self._speeds.read())), daemon=True, name="speeds"
        ).start()

    def on_speeds_read(self, message: SpeedsRead) -> None:
        """Show what follows for this recipe."""
        self.measured = message.speeds
        if self.composer is not None and self.is_running:
            self.composer.refresh_preview()

    def estimate(self) -> Estimate | None:
        """How fast the recipe would train; None where nothing was measured."""
        static = self.preview.picture.static
        device = self.device
        if device == "auto":
            device = "cuda:0" if self.gpus else "cpu"
        return estimate(self.editor.recipe, static.multiply_adds, device, self.measured) if static else None

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

    def on_live_run_seen(self, message: LiveRunSeen) -> None:
        """A run goes on that this session did not start."""
        running.live_seen(self, message.run)

    def on_training_moved(self, message: TrainingMoved) -> None:
        """Watch a new run; say how one ended."""
        running.moved(self, message.training)

    def on_devices_seen(self, message: DevicesSeen) -> None:
        """Ask where the run that is wanted should be trained."""
        if self.is_running:
            queueing.ask(self, message)

    def on_run_sent(self, message: RunSent) -> None:
        """Say what became of a run that was handed over."""
        if self.is_running:
            self.notify(message.text, severity="error" if message.failed else "information", markup=False)

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
        self.set_timer(min(0.2, self._poll), self._tick)  # the first reading is there before the first turn

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
        for screen in self.screen_stack:  # also behind a dialog
            if isinstance(screen, RunScreen):
                screen.refresh_run()
        self.refresh_top()

    def refresh_top(self) -> None:
        """The first line of the screen in front."""
        for bar in self.screen.query(TopBar):
            bar.show(*top_texts(self.current_mode, self.editor, self.tracked))

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
            ("\n  device  ", "bold"), self.device,
        )  # fmt: skip

        def chosen(action: Action | None) -> None:
            if action is not None:
                self.call_later(self.run_action, action.full_name, self.screen)

        self.push_screen(HelpScreen(self.actions(), places), chosen)

    def action_slow_link(self) -> None:
        """Send less, or as much as usual again."""
        self._slow = not self._slow
        self._timer.stop()
        self._timer = self.set_interval(self.data_seconds, self._tick)
        if self.tracked is not None:
            self.tracked.follow_every(self.data_seconds)
        self.notify(f"Figures and charts now change every {self.data_seconds:g} s; keys are as fast as ever.")

    def action_redraw(self) -> None:
        """Draw everything again, after something else wrote on the terminal."""
        self.screen.refresh(layout=True)

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

    def actions(self) -> list[Action]:
        """What can be done on the screen in front, with the user's own keys."""
        return actions(cast(Where, self.current_mode), self.settings.keymap)

    def key(self, action: str) -> str:
        """The key of an action, by its id, as it is written for people."""
        where = cast(Where, action.partition(".")[0])
        return next(a.shown_key for a in actions(where, self.settings.keymap) if a.id == action)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: the actions of the registry, and the choice of colours."""
        for action in self.actions():
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
