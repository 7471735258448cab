"""What the app is apart from recipes and runs: a terminal, its size and colours, the keys, how much is sent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import cast

from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding
from textual.command import CommandPalette
from textual.content import Content
from textual.driver import Driver
from textual.filter import LineFilter
from textual.geometry import Size
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerError

from workbench.graphics import has_encoder
from workbench.tui.app.commands import COLOURS, Command, Commands, commands
from workbench.tui.app.theme import MUTED, THEMES, WORKBENCH, palette
from workbench.tui.common.actions import Action, Where, actions
from workbench.tui.common.palette import Palette
from workbench.tui.common.screens import ConfirmScreen, Dialog
from workbench.tui.common.services import Settings
from workbench.tui.common.widgets import Text
from workbench.tui.compat.pictures import Asking
from workbench.tui.compat.terminal import SurvivingDriver, VisibleLines, guard_content
from workbench.tui.compat.turns import TextualApp
from workbench.visible import shortened

MOMENT = 0.5
"""Seconds for which keys wait at most until what the key before them asked for was read from files."""

SLOW = 5
"""Times less often that a slow link is sent figures and charts."""


class TerminalApp(TextualApp):
    """The base of the app. theme: the one that was chosen last, "" for that of the settings."""

    COMMANDS = {Commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]

    def __init__(self, settings: Settings, theme: str = "", poll: float = 1.0) -> None:
        guard_content()
        super().__init__()
        self._visible_lines = VisibleLines()
        self._back_at = 0.0
        self._awaited: list[asyncio.Future[None]] = []
        self.settings = settings
        if not (settings.ascii or settings.in_browser):
            self.asking = Asking(settings.screens.pictures, has_encoder())
        self.poll = poll
        self.slow = settings.screens.link == "slow"
        for known in THEMES:
            self.register_theme(known)
        wanted = (theme, settings.screens.theme, WORKBENCH.name)
        self.theme = next(name for name in wanted if name in self.available_themes)
        self.set_class(settings.ascii, "-ascii")
        self.set_keymap(dict(settings.keymap))

    def get_driver_class(self) -> type[Driver]:
        """Our own driver on a terminal; whatever Textual is told to use elsewhere."""
        kind = super().get_driver_class()
        return SurvivingDriver if issubclass(SurvivingDriver, kind) else kind

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own, and ours for text that a terminal would obey."""
        return [*super().get_line_filters(), self._visible_lines]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A message, cut where nobody would read on. Square brackets in it are brackets, not styles."""
        super().notify(shortened(message), title=title, severity=severity, timeout=timeout, markup=markup)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What our styles need of any theme."""
        return {"muted": MUTED}

    def heeds(self, event: events.Event) -> bool:
        """Nothing that was typed or clicked before a question was to be seen answers it, where something can be lost.

        Keys typed ahead of any other dialog are for that dialog. What was typed ahead of a program that the terminal
        was left to was for that program.
        """
        if event.time <= self._back_at:
            return False
        screen = self.screen_stack[-1] if self.screen_stack else None
        if not isinstance(screen, ConfirmScreen) or not screen.loses:
            return True
        painted = self.painted(screen)
        return painted is not None and event.time > painted

    @contextlib.contextmanager
    def terminal_left(self) -> Iterator[None]:
        """The terminal is another program's meanwhile; what libraries print goes on going to the log.

        Raises SuspendNotSupported.
        """
        out, err = sys.stdout, sys.stderr
        with self.suspend(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
        self._back_at = self.event_time()

    def ready_for_input(self) -> asyncio.Future[None] | None:
        """What keys have to wait for: in the command palette what is found, else what is being read for them."""
        screen = self.screen_stack[-1] if self.screen_stack else None
        if isinstance(screen, CommandPalette):
            searches = [worker for worker in self.workers if worker.node is screen and not worker.is_finished]
            return asyncio.ensure_future(_over(searches[-1])) if searches else None
        return next((awaited for awaited in self._awaited if not awaited.done()), None)

    def hold_input(self) -> Callable[[], None]:
        """Let the next keys wait until what is returned is called, for they are meant for what is being read.

        A moment at most: where files are slow, keys act on what is there.
        """
        awaited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def go_on() -> None:
            if not awaited.done():
                awaited.set_result(None)

        self._awaited = [*(other for other in self._awaited if not other.done()), awaited]
        self.set_timer(MOMENT, go_on)
        return go_on

    @property
    def palette(self) -> Palette:
        """The charts' colours in the theme in use."""
        return dataclasses.replace(palette(self.theme_variables), ascii=self.settings.ascii)

    @property
    def data_seconds(self) -> float:
        """How often figures and charts may change on the screen; keys never wait for it."""
        return self.poll * (SLOW if self.slow else 1)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that is too small says so instead of showing rubble."""
        self.terminal_resized()
        if not (self.is_running and self.screen_stack):
            return
        if too_small(event.size) and not isinstance(self.screen, TooSmallScreen):
            self.push_screen(TooSmallScreen())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A blinking cursor would send bytes for ever."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def action_show(self, mode: str) -> None:
        """Go to a screen."""
        if mode != self.current_mode:
            self.switch_mode(mode)

    def action_redraw(self) -> None:
        """Draw everything again, after something else wrote on the terminal."""
        self.paint_all()

    def actions(self) -> list[Action]:
        """What can be done on the screen in front, with the user's own keys."""
        return actions(cast(Where, self.current_mode), self.settings.keymap)

    def key(self, action: str) -> str:
        """The key of an action, by its id, as it is written for people."""
        where = cast(Where, action.partition(".")[0])
        return next(a.shown_key for a in actions(where, self.settings.keymap) if a.id == action)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers, as Textual knows it."""
        for command in self.commands():
            yield SystemCommand(command.title, command.help, command.run)

    def commands(self) -> list[Command]:
        """The command palette: the actions of the registry that can be taken, and the choice of colours."""
        screen = self.screen_stack[0]  # the palette itself lies over it
        mode = cast(Where, self.current_mode)

        def possible(action: Action) -> bool:
            return action.where == "app" or screen.check_action(action.name, ()) is True

        def run(action: Action) -> Callable[[], Awaitable[None]]:
            async def do() -> None:
                if action.where not in ("app", mode):
                    await self.switch_mode(action.where)
                await self.run_action(action.full_name, self.screen_stack[0])

            return do

        found = commands(mode, self.settings.keymap, possible, run)
        return [*found, Command("Colours", "Choose a theme", COLOURS, self.action_change_theme)]


async def _over(worker: Worker[object]) -> None:
    with contextlib.suppress(WorkerError):
        await worker.wait()


LEAST = Size(60, 20)
"""Columns and lines below which the screens are unreadable."""


def too_small(size: Size) -> bool:
    """Whether nothing sensible can be shown."""
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmallScreen(Dialog[None]):
    """Says what is needed. A training does not notice."""

    BINDINGS = [Binding("q,ctrl+c,ctrl+q", "app.leave", show=False)]

    def compose(self) -> ComposeResult:
        yield Text(id="too-small")

    def on_mount(self) -> None:
        self._say(self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        if too_small(event.size):
            self._say(event.size)
        elif self.is_current:
            self.dismiss(None)

    def _say(self, size: Size) -> None:
        parts: list[Content | str | tuple[str, str]] = [
            (f"{size.width}×{size.height}", "bold $warning"),
            " is too small: workbench needs ",
            (f"{LEAST.width}×{LEAST.height}", "bold"),
            ".\nMake the terminal larger, or its font smaller.\nA training goes on meanwhile.",
        ]
        self.query_one("#too-small", Text).show(Content.assemble(*parts))
