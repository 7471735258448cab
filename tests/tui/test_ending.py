"""What a run's end does beside the screens: the bell, a notification of the desktop, a command of the user's."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.hostile import EVIL
from tests.runs.helpers import lasting
from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, FakeTraining, history, written
from tests.tui.test_queueing import notices
from tests.waiting import until
from workbench.recipe import Recipe
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import write_status
from workbench.settings import Screens
from workbench.tui.app.ending import notification, run_command
from workbench.tui.app.workbench import Workbench
from workbench.visible import OBEYED


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times at which the bell rang."""
    found: list[float] = []
    monkeypatch.setattr(Workbench, "bell", lambda app: found.append(time.time()))
    return found


def of(run: RunDirectory, state: str) -> None:
    write_status(run, replace(lasting("running"), state=state))


@pytest.mark.parametrize(
    ("state", "focus", "bell", "expected"),
    [
        ("finished", False, True, 1),
        ("failed", False, True, 1),
        ("finished", True, True, 1),  # it took longer than a minute
        ("finished", False, False, 0),
        ("stopped", False, True, 0),  # somebody asked for that
    ],
)
async def test_a_followed_run_rings_once_when_it_ends(
    make_app: AppFactory, recipe: Recipe, rung: list[float], state: str, focus: bool, bell: bool, expected: int
) -> None:
    run = written(Path("runs/a").resolve(), recipe, history())
    of(run, "running")
    on_end = 'echo "$WORKBENCH_STATE" >> ends'
    app = make_app(watch=run, poll=0.05, now=lambda: NOW, settings={"screens": Screens(bell=bell, on_end=on_end)})
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.tracked is not None and app.tracked.state == "running")
        app.app_focus = focus
        of(run, state)
        await until(pilot, lambda: Path("ends").is_file() and Path("ends").read_text() != "")
        await pilot.pause(0.5)
    assert len(rung) == expected
    assert Path("ends").read_text() == f"{state}\n"


async def test_a_short_run_before_ones_eyes_and_one_that_was_over_are_silent(
    make_app: AppFactory, recipe: Recipe, rung: list[float]
) -> None:
    over = written(Path("runs/over").resolve(), recipe, history())
    of(over, "finished")
    app = make_app(watch=over, poll=0.05, settings={"screens": Screens(on_end="touch told")})
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.tracked is not None and app.tracked.state == "finished")
        await pilot.pause(0.3)
        assert not Path("told").exists()  # it ended long ago
        await pilot.press("1", "r")
        await until(pilot, lambda: Path("told").exists())
    assert rung == []


async def test_a_command_that_hangs_or_fails_holds_nothing_up(make_app: AppFactory) -> None:
    hold = threading.Event()
    hold.set()
    on_end = "test -d $WORKBENCH_RUN && echo no mail here >&2; exit 3"
    app = make_app(execute=FakeTraining(hold=hold), poll=0.05, settings={"screens": Screens(on_end=on_end)})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: "on_end in [screens] ended with code 3: no mail here" in notices(app))
    hanging = make_app(execute=FakeTraining(), poll=0.05, settings={"screens": Screens(on_end="touch on; sleep 30")})
    begun = time.monotonic()
    async with hanging.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: Path("on").exists())
        await pilot.press("q")
    assert time.monotonic() - begun < 25


def test_a_command_is_told_of_the_run(recipe: Recipe) -> None:
    run = written(Path("runs/a").resolve(), recipe, [])
    run_command('echo "$WORKBENCH_RUN $WORKBENCH_STATE" > told; tty >> told; true', run, "failed")
    told = Path("told").read_text().splitlines()
    assert told == [f"{run.path} failed", "not a tty"]
    with pytest.raises(RunError, match="code 127"):
        run_command("no-such-command-anywhere", run, "failed")


@pytest.mark.parametrize(
    ("kind", "environment", "begins"),
    [
        ("off", {"TERM": "foot"}, ""),
        ("auto", {"TERM": "xterm-256color"}, ""),
        ("auto", {"TERM": "tmux-256color"}, ""),
        ("auto", {"TERM": "foot"}, "\x1b]777;notify;workbench;"),
        ("auto", {"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;workbench;"),
        ("auto", {"TERM": "xterm-kitty"}, "\x1b]9;workbench: "),
        ("auto", {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]9;workbench: "),
        ("9", {"TERM": "xterm"}, "\x1b]9;workbench: "),
        ("777", {}, "\x1b]777;notify;workbench;"),
    ],
)
def test_a_notification_is_what_the_terminal_understands(
    kind: Literal["auto", "off", "9", "777"], environment: dict[str, str], begins: str
) -> None:
    found = notification(Screens(notify=kind), "a run finished", environment)
    assert found.startswith(begins) and bool(found) == bool(begins)


@pytest.mark.parametrize("kind", ["9", "777"])
def test_a_name_that_would_command_the_terminal_is_shown_instead(kind: Literal["9", "777"]) -> None:
    found = notification(Screens(notify=kind), f"a;b{EVIL} finished", {})
    head, said = found[: found.index("a,b")], found[found.index("a,b") : -2]
    assert found.endswith("\x1b\\") and head.count("\x1b") == 1
    assert not OBEYED.search(said) and ";" not in said
