"""Handlers, actions and timers of screens, widgets and app: called before there is anything to handle, and after."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from tests.tui.conftest import AppFactory
from tests.tui.fakes import history, written
from tests.waiting import until
from workbench import tui
from workbench.preview.protocol import Refused
from workbench.recipe import Recipe
from workbench.tui.app.commands import HelpScreen
from workbench.tui.app.terminal_app import TooSmallScreen
from workbench.tui.app.training import QueueMoved
from workbench.tui.app.training_app import TrainingMoved
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.background import ThreadBroke, WorkDone
from workbench.tui.common.clipboard import CopiedScreen
from workbench.tui.common.screens import ButtonDialog, ConfirmScreen, Dialog, LineScreen, ReadingDialog, WorkbenchScreen
from workbench.tui.compat.composed import LIFE, Composed
from workbench.tui.compat.pictures import Pictures, PicturesKnown
from workbench.tui.compose.devices import DeviceScreen
from workbench.tui.compose.examinations import RANGE_TEST, DoctorScreen, ExaminationScreen, TrialScreen
from workbench.tui.compose.files import SaveScreen
from workbench.tui.compose.form_screen import FormScreen
from workbench.tui.compose.opening import OpenScreen
from workbench.tui.compose.preview_client import PreviewHeard
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.profile.measurement import ProfileHeard
from workbench.tui.profile.screen import ProfileScreen
from workbench.tui.run.charts import ChartsScreen
from workbench.tui.run.results import ResultsScreen
from workbench.tui.run.screen import RunScreen
from workbench.tui.runs.screen import RunsScreen
from workbench.tui.runs.table import TableScreen

KINDS = (WorkbenchScreen, Dialog, ReadingDialog, ButtonDialog, ExaminationScreen, ChartsScreen, TableScreen)

SCREENS: dict[type[Screen[Any]], Callable[[Recipe, Workbench], Screen[Any]]] = {
    ComposeScreen: lambda recipe, app: ComposeScreen(app),
    RunScreen: lambda recipe, app: RunScreen(app),
    ProfileScreen: lambda recipe, app: ProfileScreen(app),
    RunsScreen: lambda recipe, app: RunsScreen(app),
    ConfirmScreen: lambda recipe, app: ConfirmScreen("Sure?", "Really?", [("yes", "Yes")]),
    CopiedScreen: lambda recipe, app: CopiedScreen("text", "the text"),
    DeviceScreen: lambda recipe, app: DeviceScreen([], [], "cpu", looking=True),
    DoctorScreen: lambda recipe, app: DoctorScreen(),
    TrialScreen: lambda recipe, app: TrialScreen(RANGE_TEST, "mine"),
    FormScreen: lambda recipe, app: FormScreen(recipe, "train"),
    HelpScreen: lambda recipe, app: HelpScreen([], Content("")),
    LineScreen: lambda recipe, app: LineScreen("A line", "", "what to write"),
    OpenScreen: lambda recipe, app: OpenScreen(),
    ResultsScreen: lambda recipe, app: ResultsScreen(),
    SaveScreen: lambda recipe, app: SaveScreen(recipe, Path("recipes/small.toml")),
    TooSmallScreen: lambda recipe, app: TooSmallScreen(),
}


def size(kind: type[Screen[Any]]) -> tuple[int, int]:
    """A terminal in which it stays."""
    return (50, 10) if kind is TooSmallScreen else (80, 24)


def classes(package: Any) -> list[type[Any]]:
    """The classes that the modules of a package and of those in it define."""
    found: list[type[Any]] = []
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        defined = vars(importlib.import_module(module.name)).values()
        found += [c for c in defined if inspect.isclass(c) and c.__module__ == module.name]
    return found


def test_no_screen_is_left_out() -> None:
    found = {c for c in classes(tui) if issubclass(c, Screen) and c not in KINDS}
    assert found == set(SCREENS) and all(issubclass(screen, Composed) for screen in found)


def test_every_widget_that_handles_anything_is_guarded() -> None:
    def handles(name: str, value: object) -> bool:
        return inspect.isfunction(value) and (
            name.startswith(("on_", "key_", "action_")) or hasattr(value, "_textual_on")
        )

    for widget in classes(tui):
        if issubclass(widget, Widget) and any(handles(*item) for item in vars(widget).items()):
            assert issubclass(widget, Composed), widget


def handlers(subject: object) -> Iterator[Callable[..., Any]]:
    """All that Textual, a key, a timer or the app may call, without what makes a widget ready."""
    for owner in type(subject).__mro__:
        if not owner.__module__.startswith("workbench."):
            continue
        for name, value in vars(owner).items():
            handles = name.startswith(("on_", "_on_", "key_", "action_", "check_action")) and name not in LIFE
            if inspect.isfunction(value) and (handles or hasattr(value, "_textual_on") or hasattr(value, "guarded")):
                yield value.__get__(subject)
        for known in vars(owner).get("_decorated_handlers", {}).values():
            for method, _ in known:
                yield method.__get__(subject)


async def call(method: Callable[..., Any]) -> object:
    """Call it with whatever it needs."""
    needed = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
    positional = [Mock() for p in needed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    answer = method(*positional, **{p.name: Mock() for p in needed if p.kind is p.KEYWORD_ONLY})
    return await answer if inspect.isawaitable(answer) else answer


@pytest.mark.parametrize("kind", SCREENS, ids=lambda kind: kind.__name__)
async def test_a_screen_before_it_is_composed_and_after_it_is_gone(
    kind: type[Screen[Any]], make_app: AppFactory, recipe: Recipe
) -> None:
    app = make_app()
    rung: list[str] = []
    async with app.run_test(size=size(kind)) as pilot:
        screen = cast(Any, SCREENS[kind](recipe, app))
        assert not screen.ready
        found = list(handlers(screen))
        for method in found:
            assert await call(method) is None, method
        if hasattr(screen, "on_unmount"):
            screen.on_unmount()  # the app may end while the first screen is composed
        base = app.screen
        await app.push_screen(screen)
        await pilot.pause()
        assert screen.ready
        inside = [node for node in screen.walk_children() if isinstance(node, Composed)]
        assert inside and all(node.ready for node in inside)
        screen.set_timer(0.05, lambda: rung.append("timer"))
        screen.set_interval(0.05, lambda: rung.append("interval"))
        late = screen._while_ready(lambda: rung.append("late"))  # such as a timer's that was on its way already
        await until(pilot, lambda: {"timer", "interval"} <= set(rung))
        app.pop_screen()
        await until(pilot, lambda: app.screen is base and not screen.is_running)
        rung.clear()
        for subject in (screen, *inside):
            assert not subject.ready
            for method in handlers(subject):
                assert await call(method) is None, method
        late()
        await pilot.pause(0.1)
        assert rung == []
    assert len(found) > 0 or kind is TooSmallScreen


@pytest.mark.parametrize("kind", SCREENS, ids=lambda kind: kind.__name__)
async def test_a_screen_that_is_taken_away_before_it_is_composed(
    make_app: AppFactory, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, kind: type[Screen[Any]]
) -> None:
    """As an app that ends does it: nothing is mounted to such a screen, and it is told that all was."""
    app = make_app()
    composed: list[object] = []

    async def going(screen: Any, widgets: list[Widget]) -> None:
        composed.append(screen)
        screen._composed = screen._pruning = True

    async with app.run_test(size=size(kind)) as pilot:
        screen = SCREENS[kind](recipe, app)
        monkeypatch.setattr(type(screen), "mount_composed_widgets", going)
        await app.push_screen(screen)
        await pilot.pause()
        assert screen in composed
        screen._pruning = False


@pytest.mark.parametrize("kind", SCREENS, ids=lambda kind: kind.__name__)
async def test_messages_on_their_way_to_a_screen_that_goes(
    kind: type[Screen[Any]], make_app: AppFactory, recipe: Recipe
) -> None:
    """What is in the queue of a screen is still dispatched to it while its widgets are taken away."""
    app = make_app()
    async with app.run_test(size=size(kind)) as pilot:
        screen = SCREENS[kind](recipe, app)
        await app.push_screen(screen)
        await pilot.pause()
        app.pop_screen()
        for _ in range(3):
            screen.post_message(events.Resize(Size(80, 24), Size(80, 24)))
            screen.post_message(events.ScreenResume())
        await pilot.pause(0.1)
    assert app.ended_by is None


def messages(app: Workbench) -> dict[str, Message]:
    """One for each of the app's handlers."""
    run = written(Path("runs/live").resolve(), app.editor.recipe, history(20), "finished")

    def done() -> None:
        """What threads of the app have it go on with."""
        app.show_run()
        app.live_run_seen(run)
        ConfirmScreen("", "", [("queue", "Queue it")]).offer("beside", "Train it now on cuda:1")
        app.notify("it is queued")
        app.gpus_seen([], None)
        app.runs_read([], [])

    return {
        "on_preview_heard": PreviewHeard(Refused(1, "no such thing")),
        "on_profile_heard": ProfileHeard(Mock(), Mock()),
        "on_training_moved": TrainingMoved(Mock(state=None, run=run)),
        "on_queue_moved": QueueMoved("it begins", run),
        "on_thread_broke": ThreadBroke("a thread: it broke"),
        "on_work_done": WorkDone(done),
        "on_pictures_known": PicturesKnown(Pictures("sixel")),
        "on_resize": events.Resize(Size(50, 10), Size(50, 10)),
        "on_descendant_focus": events.DescendantFocus(Widget()),
    }


def app_handlers() -> set[str]:
    owned = [vars(owner) for owner in Workbench.__mro__ if owner.__module__.startswith("workbench.")]
    found = {name for names in owned for name in names if name.startswith("on_")}
    return found - set(LIFE) - {"on_event", "on_mount"}


async def call_all(app: Workbench, sent: dict[str, Message]) -> None:
    for name, message in sent.items():
        answer = getattr(app, name)(message)
        if inspect.isawaitable(answer):
            await answer
    app._tick()
    app.show_run()
    app.show_profile()
    app.refresh_top()
    app.machine_changed()
    app.recipe_changed()
    app.forget_runs([])


async def test_the_app_before_it_runs_and_after(make_app: AppFactory) -> None:
    app = make_app()
    sent = messages(app)
    assert set(sent) == app_handlers()
    await call_all(app, sent)
    assert app.tracked is None
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "1")
    await call_all(app, sent)
    assert app.ended_by is None


@pytest.mark.parametrize("mode", ["compose", "run", "profile", "runs"])
async def test_the_app_while_a_screen_is_composed(
    mode: str, make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in front then, and has no widgets yet."""
    kind = {"compose": ComposeScreen, "run": RunScreen, "profile": ProfileScreen, "runs": RunsScreen}[mode]
    seen: list[bool] = []

    async def early(screen: Any, widgets: list[Widget]) -> None:
        seen.append(screen.ready)
        await call_all(app, messages_sent)
        await Composed.mount_composed_widgets(screen, widgets)

    monkeypatch.setattr(kind, "mount_composed_widgets", early, raising=False)
    app = make_app()
    app.DEFAULT_MODE = mode  # type: ignore[misc]
    messages_sent = messages(app)
    messages_sent.pop("on_training_moved")  # goes to the Run screen
    messages_sent.pop("on_resize")
    async with app.run_test(size=(80, 24)) as pilot:
        if app.current_mode != mode:
            await pilot.press({"compose": "1", "run": "2", "profile": "3", "runs": "4"}[mode])
        await until(pilot, lambda: bool(seen) and app.screen.ready)  # type: ignore[attr-defined]
    assert seen == [False] and app.ended_by is None
