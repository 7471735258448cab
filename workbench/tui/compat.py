"""What the app knows of Textual's inside, in one place; ``tests/tui/test_compat.py`` says when a part of it can go."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.app import App
from textual.worker import WorkerFailed


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
