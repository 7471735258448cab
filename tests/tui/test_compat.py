"""What rests on Textual's inside: that it does what it is for, and when it is not needed any more."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import termios
from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.drivers.linux_driver import LinuxDriver
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.tui.conftest import AppFactory
from workbench.tui.compat.terminal import SurvivingDriver
from workbench.tui.compat.turns import TextualApp, exit_soon

eager = pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="Python before 3.12 has no eager tasks")


class FirstScreen(Screen[None]):
    def compose(self) -> ComposeResult:
        yield Input()


class Plain(App[str]):
    MODES = {"first": FirstScreen}
    DEFAULT_MODE = "first"


class Ours(TextualApp):
    MODES = {"first": FirstScreen}
    DEFAULT_MODE = "first"


async def opens(app: App[str]) -> bool:
    """Whether an app opens in the way that ``App.run`` goes, up to its first idle moment."""

    async def leave(pilot: Pilot[str]) -> None:
        await pilot.pause()
        app.exit("opened")

    return await app.run_async(headless=True, auto_pilot=leave) == "opened" and app._exception is None


@eager
@pytest.mark.xfail(
    strict=True,
    reason="Textualize/textual#6444. Does this pass? Then Textual mounts a mode's screen after it is on the stack, and"
    " TextualApp.on_load can go as soon as pyproject.toml asks for that release",
)
async def test_textual_itself_does_not_open_an_input_in_a_mode() -> None:
    assert await opens(Plain())


async def test_ours_does() -> None:
    assert await opens(Ours())


@eager
async def test_pilot_tests_have_the_tasks_that_a_terminal_has(make_app: AppFactory) -> None:
    """Without this they cannot see what only eager tasks break."""
    seen: list[object] = []

    class Looking(Ours):
        def on_load(self) -> None:
            seen.append(asyncio.get_running_loop().get_task_factory())

    async with Looking().run_test():
        seen.append(asyncio.get_running_loop().get_task_factory())
    assert seen == [asyncio.eager_task_factory, None]


async def test_every_screen_opens(make_app: AppFactory) -> None:
    app = make_app()

    async def visit(pilot: Pilot[str]) -> None:
        for key in "2341":
            await pilot.press(key)
            await pilot.pause()
        app.exit("opened")

    assert await app.run_async(headless=True, size=(80, 24), auto_pilot=visit) == "opened"
    assert app.ended_by is None


def failing_timer(app: App[str]) -> None:
    app.set_timer(0.01, lambda: 1 / 0)


def failing_callback(app: App[str]) -> None:
    app.call_later(lambda: 1 / 0)


def failing_worker(app: App[str]) -> None:
    app.run_worker(lambda: 1 / 0, thread=True)


@pytest.mark.parametrize("fails", [failing_timer, failing_callback, failing_worker])
async def test_what_ends_an_app_is_told_at_once_and_kept(fails: Callable[[App[str]], None]) -> None:
    told: list[BaseException] = []

    class Told(Ours):
        def on_mount(self) -> None:
            fails(self)

        def broke(self, error: BaseException) -> None:
            told.append(error)

    app = Told()
    assert await app.run_async(headless=True) is None
    assert isinstance(app.ended_by, ZeroDivisionError)
    assert told[0] is app.ended_by and app.return_code == 1


async def test_leaving_from_a_signal_handler_or_a_thread() -> None:
    app = Ours()
    exit_soon(app, "too early")  # nothing to leave yet

    async def leave(pilot: Pilot[str]) -> None:
        await pilot.pause()
        await asyncio.to_thread(exit_soon, app, "left")

    assert await app.run_async(headless=True, auto_pilot=leave) == "left"
    exit_soon(app, "too late")


def driver(**attributes: object) -> SurvivingDriver:
    """A driver without the signal handlers and threads of a real one."""
    made = SurvivingDriver.__new__(SurvivingDriver)
    vars(made).update(attributes)
    return made


async def test_the_users_own_keys_with_alt_stay_keys(make_app: AppFactory) -> None:
    app = make_app(settings={"keymap": {"compose.run": "alt+r,f5", "app.leave": "alt+q"}})
    async with app.run_test():
        assert driver(_app=app).chords() == {"alt+r", "f5", "alt+q"}


def test_the_size_is_the_terminals_own_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does Textual do so itself now? Then the driver's ``_get_terminal_size`` can go."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (30, 100))
    monkeypatch.setenv("COLUMNS", "7")
    monkeypatch.setenv("LINES", "3")
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "__stdout__", terminal)
        assert LinuxDriver._get_terminal_size(driver()) == (7, 3)
        assert driver()._get_terminal_size() == (100, 30)
    os.close(master)


def test_a_terminal_that_is_gone_is_seen() -> None:
    master, slave = pty.openpty()
    looking = driver(fileno=slave, input_tty=True)
    assert not looking.terminal_gone()
    os.close(master)
    assert looking.terminal_gone()
    os.close(slave)
    assert not driver(fileno=slave, input_tty=False).terminal_gone()
