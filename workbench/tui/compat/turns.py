"""Textual's app with one order of tasks on every Python, in which input takes its turn."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual._context import message_hook
from textual._time import get_time
from textual.app import App, ScreenStackError
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.signal import Signal
from textual.worker import WorkerFailed

from workbench.tui.compat.pictures import BLOCKS, Asking, Pictures, PicturesKnown
from workbench.tui.compat.terminal import SurvivingDriver
from workbench.tui.compat.updates import CroppedUpdate, Overlaid, Picture, Shown, WithPictures, laid

ROUNDS = 100
"""Turns after which a key is let through although messages still come: they have other causes than the key before."""


class TextualApp(App[str]):
    """Textual's app with one order of tasks on every Python, and an exception that nobody caught told to ``broke``.

    Input takes its turn. Textual hands each key to the widget that has the focus at that moment, while the key before
    it is still on its way from widget to widget up to the app, where bindings act: keys that arrive in one read with
    one that opens a dialog never reach that dialog. Here a key, a paste or a click waits until all that the one before
    it set off is done: its handlers and actions, a screen pushed, closed or switched, the focus moved. The first of
    them is never held up, and none waits for a thread, a timer, or anything to be drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: deque[events.Event] = deque()
        self._released: events.Event | None = None
        self._turns: asyncio.Task[None] | None = None
        self._mark: tuple[Message, Callable[[], None]] | None = None
        self._dispatched = 0
        self._painted: WeakKeyDictionary[Screen[Any], float] = WeakKeyDictionary()
        self.shown = Shown()
        self._overlaid: WeakSet[Overlaid] = WeakSet()
        self.asking = Asking("blocks")
        self.pictures = BLOCKS
        self.pictures_signal: Signal[Pictures] = Signal(self, "pictures")

    def on_load(self) -> None:
        """Let the event loop start a new task when its turn comes, as on every Python before 3.12.

        From 3.12 on ``App.run`` (not ``run_test``) asks for eager tasks: a new one runs at once, inside whoever made
        it. The screen of a mode then mounts its widgets before it is on the stack, and an Input among them, which asks
        for the app's screen, ends the app (Textualize/textual#6444). Nothing is mounted yet when this is called.
        """
        asyncio.get_running_loop().set_task_factory(None)
        message_hook.set(_both(message_hook.get(None), self._count))  # every pump's task inherits it

    def broke(self, error: BaseException) -> None:
        """An exception ends the app; called at once, and again for each that follows from it."""

    @property
    def ended_by(self) -> BaseException | None:
        """The first exception that nobody caught, None if there was none."""
        return _own(self._exception) if self._exception is not None else None

    def _handle_exception(self, error: Exception) -> None:
        # The one way that all of Textual's pumps, timers, workers and callbacks take.
        self.broke(_own(error))
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # The base class renders a traceback with all local variables for the terminal, which may take seconds and
        # shows what nobody asked for; broke() has kept one.
        self._close_messages_no_wait()

    # Input takes its turn

    async def on_event(self, event: events.Event) -> None:
        """Everything that happens; what the user does takes its turn here, unless it only bubbles up to the app."""
        if not isinstance(event, events.InputEvent | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        if event is self._released:
            self._released = None
        elif self._turns is not None:
            self._held.append(event)
            return
        if not self.heeds(event):
            return
        await super().on_event(event)
        if self._turns is None and not isinstance(event, events.MouseMove):
            self._turns = asyncio.create_task(self._take_turns(), name="input takes its turn")

    def heeds(self, event: events.Event) -> bool:
        """Whether what the user did goes to the screen in front, now that it is its turn."""
        return True

    @property
    def terminal_gone(self) -> bool:
        """Whether the terminal that the keys came from no longer exists, or whoever served the page."""
        driver = self._driver
        if driver is not None and driver.is_web:
            keys: threading.Thread | None = getattr(driver, "_key_thread", None)
            return keys is not None and not keys.is_alive()  # it ends where there is nothing more to read
        return isinstance(driver, SurvivingDriver) and driver.terminal_gone()

    def command_terminal(self, sequence: str) -> None:
        """Send a sequence past the screens; nothing where there is no terminal."""
        if sequence and self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    def terminal_resized(self) -> None:
        """The terminal has another size; its font may have, too."""
        if isinstance(self._driver, SurvivingDriver):
            self._driver.resized()

    def on_pictures_known(self, event: PicturesKnown) -> None:
        """The terminal was entered, or its font changed, and it has said what it can show."""
        self.pictures = event.pictures
        self.pictures_signal.publish(event.pictures)

    def overlay(self, widget: Overlaid) -> None:
        """From now on, lay a widget's pictures over what is painted at their places; at once, too."""
        self._overlaid.add(widget)
        if widget.screen is self.screen and (pictures := list(widget.overlays())):
            self.command_terminal(f"\x1b7{laid(pictures)}\x1b8")

    def _pictures_on(self, screen: Screen[Any]) -> list[Picture]:
        there = [widget for widget in self._overlaid if widget.is_attached and widget.screen is screen]
        return [picture for widget in there for picture in widget.overlays()]

    def paint_all(self) -> None:
        """Send everything again: something else wrote on the terminal."""
        self.shown.forget()
        self.screen.refresh(layout=True)

    @property
    def input_waits(self) -> bool:
        """Whether something that the user did is still being worked off."""
        return self._turns is not None

    def event_time(self) -> float:
        """Now, in the time of events."""
        return get_time()

    def painted(self, screen: Screen[Any]) -> float | None:
        """When a screen, whole, was drawn for the first time, in the time of events; None if it was not yet."""
        return self._painted.get(screen)

    def ready_for_input(self) -> asyncio.Future[Any] | None:
        """What the screen in front waits for before keys mean anything to it; it may say so for a moment only."""
        return None

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if type(renderable) is ChopsUpdate:
            renderable = CroppedUpdate.of(renderable, self.shown)
        elif renderable is not None:
            self.shown.forget()
        if isinstance(renderable, CompositorUpdate) and (pictures := self._pictures_on(screen)):
            renderable = WithPictures(renderable, pictures, screen)
        super()._display(screen, renderable)
        if renderable is not None and screen.is_mounted and not self._batch_count and screen not in self._painted:
            self._painted[screen] = get_time()

    async def _take_turns(self) -> None:
        try:
            await self._worked_off()
            while self._held and not self._exit:
                self._released = self._held.popleft()
                # Not post_message: that would prevent in this event what somebody else prevents just now.
                self._message_queue.put_nowait(self._released)
                await self._worked_off()
        except Exception as error:
            self._handle_exception(error)
        finally:
            self._turns = None

    async def _worked_off(self) -> None:
        """Wait until a mark has gone the way of a key, from the focus up to the app, and met nothing at all."""
        for _ in range(ROUNDS):
            before = self._dispatched
            for pump in self._key_path():
                await self._reached(pump)
            if before == self._dispatched and not any(map(_has_work, self._key_path())):
                if (awaited := self.ready_for_input()) is None:
                    return
                await asyncio.wait([awaited])

    def _key_path(self) -> list[MessagePump]:
        """Who handles a key: the widget in focus, what it is in, the screen, the app."""
        try:
            screen = self.screen
        except ScreenStackError:
            return [self]
        path: list[MessagePump] = list(screen.focused.ancestors_with_self) if screen.focused is not None else []
        return [*(pump for pump in path if pump not in (screen, self)), screen, self]

    async def _reached(self, pump: MessagePump) -> None:
        """Wait until a pump has handled everything that it was sent before."""
        if pump._closing or pump._closed or (pump is not self and pump._task is None):
            return
        reached = asyncio.get_running_loop().create_future()

        def passed(*_: object) -> None:
            if not reached.done():
                reached.set_result(None)

        mark = events.Callback(callback=passed)
        self._mark = mark, passed
        pump._message_queue.put_nowait(mark)
        if (task := pump._task) is None:
            await reached
        else:  # one that ends meanwhile handles nothing any more
            task.add_done_callback(passed)
            await reached
            task.remove_done_callback(passed)

    def _count(self, message: Message) -> None:
        if self._mark is not None and message is self._mark[0]:
            self._mark[1]()
        else:
            self._dispatched += 1

    async def _shutdown(self) -> None:
        if self._turns is not None:
            self._turns.cancel()
        self._held.clear()
        await super()._shutdown()


def _has_work(pump: MessagePump) -> bool:
    return pump._message_queue.qsize() > 0 or bool(pump._next_callbacks)


def _both(first: Callable[[Message], None] | None, second: Callable[[Message], None]) -> Callable[[Message], None]:
    if first is None:
        return second

    def both(message: Message) -> None:
        first(message)
        second(message)

    return both


def _own(error: Exception) -> BaseException:
    """The exception itself, where Textual wraps that of a worker."""
    return error.error if isinstance(error, WorkerFailed) else error


def exit_soon(app: App[Any], outcome: str) -> None:
    """Let an app leave with an outcome, asked for in any thread or signal handler; nothing where it has ended."""
    loop = app._loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(app.exit, outcome)
