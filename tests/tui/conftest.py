"""Fixtures for the terminal's tests."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_textual_snapshot
from syrupy.location import PyTestLocation
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.pilot import Pilot

from tests.tui.fakes import FAKE_PREVIEW, FAKE_PROFILE, HERE, RECIPE, FakeTraining
from workbench.recipe import Recipe, read_recipe
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Settings
from workbench.tui.compat.turns import TextualApp


def _snapshots(cls: type, *, test_location: PyTestLocation) -> str:
    return str(HERE.parent.parent / "snapshots")


# All pictures lie in one folder of the repository, not beside the tests.
pytest_textual_snapshot.SVGImageExtension.dirname = classmethod(_snapshots)


_run_test = App.run_test


@contextlib.asynccontextmanager
async def _run_test_as_in_a_terminal(app: App[Any], **keywords: Any) -> AsyncIterator[Pilot[Any]]:
    """``App.run`` makes tasks eager where Python can; ``App.run_test`` does not, and so cannot see what that breaks."""
    if hasattr(asyncio, "eager_task_factory"):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    async with _run_test(app, **keywords) as pilot:
        yield pilot


_press, _wait_for_screen = Pilot.press, Pilot._wait_for_screen


def _busy(app: App[Any]) -> bool:
    """Whether a key would still have to wait for its turn, or would be older than the question that it answers."""
    if not isinstance(app, TextualApp) or not app.screen_stack:
        return False
    screen = app.screen_stack[-1]
    return app.input_waits or (isinstance(screen, ConfirmScreen) and bool(screen.loses) and not app.painted(screen))


async def _wait_for_turns(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
    """The pilot waits for what is in the widgets' queues; keys that wait for their turn are in none of them yet."""
    end = time.monotonic() + timeout
    while _busy(pilot.app) and pilot.app.is_running and time.monotonic() < end:
        await asyncio.sleep(0.001)
    return await _wait_for_screen(pilot, timeout)


async def _press_one_after_the_other(pilot: Pilot[Any], *keys: str) -> None:
    """As a person does who sees what a key did before pressing the next; for keys in one read see test_typeahead."""
    for key in keys:
        await _press(pilot, key)


_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], list[RuleSet]] = {}


def _parsed_once(
    sheet: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    """The rules of a style sheet are the same in each of the hundreds of apps, and take a fifth of a test to parse."""
    key = (css, read_from, is_default_rules, tie_breaker, scope, *sheet._variables.items())
    if key not in _parsed:
        _parsed[key] = _parse_rules(sheet, css, read_from, is_default_rules, tie_breaker, scope)
    return _parsed[key]


@pytest.fixture(autouse=True)
def _styles_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stylesheet, "_parse_rules", _parsed_once)


@pytest.fixture(autouse=True)
def _as_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "run_test", _run_test_as_in_a_terminal)
    monkeypatch.setattr(Pilot, "_wait_for_screen", _wait_for_turns)
    monkeypatch.setattr(Pilot, "press", _press_one_after_the_other)


SPINS = 240
"""Processor seconds of this process after which a test is given up; the longest takes a tenth of them."""


@pytest.fixture(autouse=True)
def _no_test_spins_for_ever() -> Iterator[None]:
    """A loop that never lets another task run cannot be ended by a limit that is a task."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"this test has worked for {SPINS} s and is not done")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, SPINS, SPINS / 10)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe(RECIPE)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


AppFactory = Callable[..., Workbench]


@pytest.fixture
def make_app(tmp_path: Path, recipe: Recipe) -> Iterator[AppFactory]:
    """An app with its places in a temporary folder.

    ``recipe`` and ``path`` go to its editor, ``settings`` to its Settings, the rest to Workbench.

    ``preview``: the fake preview process, which takes half a second to start, instead of one that is silent.
    """

    def make(
        *,
        recipe: Recipe = recipe,
        path: Path | None = None,
        preview: bool = False,
        settings: dict[str, Any] | None = None,
        device: str = "cpu",
        **keywords: object,
    ) -> Workbench:
        places = Settings(Path("runs"), Path("data"), device=device, **(settings or {}))
        keywords.setdefault("preview_command", FAKE_PREVIEW if preview else ["sleep", "60"])
        keywords.setdefault("profile_command", FAKE_PROFILE)
        keywords.setdefault("poll", 0.25)
        keywords.setdefault("trouble", lambda: None)
        keywords.setdefault("execute", FakeTraining())
        made.append(Workbench(places, Editor(recipe, path), **keywords))
        return made[-1]

    made: list[Workbench] = []
    yield make
    for app in made:
        if app.training is not None and app.training.alive:  # the next test has another current folder
            app.training.stop_and_join()
