"""What the app knows of Textual's inside, in one place; ``tests/tui/test_compat.py`` says when a part of it can go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from textual import events
from textual._time import get_time
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.app import App
from textual.constants import ESCAPE_DELAY
from textual.message import Message
from textual.worker import WorkerFailed

PASTE_SECONDS = 1.0
"""Seconds without the end of a bracketed paste, after which what came is taken for all of it."""

TYPED_SECONDS = 0.025
"""A key that comes at least so long after what came before it was pressed by a person and is not part of a paste."""


class TextualApp(App[str]):
    """Textual's app with one order of tasks on every Python, and an exception that nobody caught told to ``broke``."""

    def on_load(self) -> None:
        """Let the event loop start a new task when its turn comes, as on every Python before 3.12.

        From 3.12 on ``App.run`` (not ``run_test``) asks for eager tasks: a new one runs at once, inside whoever made
        it. The screen of a mode then mounts its widgets before it is on the stack, and an Input among them, which asks
        for the app's screen, ends the app (Textualize/textual#6444). Nothing is mounted yet when this is called.
        """
        asyncio.get_running_loop().set_task_factory(None)

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


def _own(error: Exception) -> BaseException:
    """The exception itself, where Textual wraps that of a worker."""
    return error.error if isinstance(error, WorkerFailed) else error


def exit_soon(app: App[Any], outcome: str) -> None:
    """Let an app leave with an outcome, asked for in any thread or signal handler; nothing where it has ended."""
    loop = app._loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(app.exit, outcome)


class PasteParser(XTermParser):
    """Textual's parser of what a terminal sends, with bracketed pastes taken out before.

    Textual waits for the end of a paste for ever, and takes escape sequences in the pasted text for keys. Here a paste
    is text and nothing else, and one whose end was lost on the way ends by itself. now: seconds, of any clock.
    """

    def __init__(self, debug: bool = False, now: Callable[[], float] = get_time) -> None:
        super().__init__(debug)
        self._now = now
        self._pasted: str | None = None
        self._tail = ""
        self._last = self._grew = now()

    def feed(self, data: str) -> Iterable[Message]:
        """Messages for what the terminal sent; "" where it will send nothing any more."""
        if not data:
            yield from super().feed(data)
        now = self._now()
        if now - self._last > ESCAPE_DELAY:  # an escape sequence in two parts so far apart is none
            self._tail = ""
        # Keys that a person presses in vain would put off the end of the paste for ever.
        if len(data) > len(BRACKETED_PASTE_END) or now - self._last < TYPED_SECONDS:
            self._grew = now
        self._last = now
        while data:
            if self._pasted is None:
                data = yield from self._outside(data)
            else:
                data = yield from self._inside(data)

    def tick(self) -> Iterable[Message]:
        """Messages for what the terminal did not send; called ten times a second."""
        yield from super().tick()
        if self._pasted is not None and self._now() - self._grew >= PASTE_SECONDS:
            text = self._pasted
            lost = next(n for n in range(len(BRACKETED_PASTE_END), -1, -1) if text.endswith(BRACKETED_PASTE_END[:n]))
            yield from self._paste(text[: len(text) - lost])

    def _outside(self, data: str) -> Generator[Message, None, str]:
        seen = self._tail + data
        start = seen.find(BRACKETED_PASTE_START)
        if start < 0:
            self._tail = seen[1 - len(BRACKETED_PASTE_START) :]
            yield from super().feed(data)
            return ""
        cut = start + len(BRACKETED_PASTE_START) - len(self._tail)
        # The base class may have begun with it in an earlier read: let it see the whole start, and an end.
        for message in super().feed(data[:cut] + BRACKETED_PASTE_END):
            if not isinstance(message, events.Paste):
                yield message
        self._pasted, self._tail, self._grew = "", "", self._now()
        return data[cut:]

    def _inside(self, data: str) -> Generator[Message, None, str]:
        assert self._pasted is not None
        text, end, rest = (self._pasted + data).partition(BRACKETED_PASTE_END)
        if not end:
            self._pasted = text
            return ""
        yield from self._paste(text)
        return rest

    def _paste(self, text: str) -> Iterator[Message]:
        self._pasted = None
        if text:
            yield events.Paste(text.replace("\x00", ""))
