"""Input takes its turn: keys, pastes and clicks that are there at once, and questions that nobody answers unseen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from tests.tui.conftest import AppFactory
from tests.tui.many_runs import many_runs
from tests.waiting import until
from workbench.devices import Gpu
from workbench.evaluation.results import Results
from workbench.recipe import Recipe, read_recipe_file, save_recipe
from workbench.runs.store.directory import RunDirectory
from workbench.tui.app import terminal_app, training_app
from workbench.tui.app.commands import HelpScreen
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.widgets import Text
from workbench.tui.compat.turns import ROUNDS, TextualApp
from workbench.tui.compose.devices import DeviceScreen
from workbench.tui.compose.opening import OpenScreen
from workbench.tui.run.results import ResultsScreen
from workbench.tui.runs.manage import delete_question
from workbench.tui.runs.screen import RunsScreen

KEYS = {" ": "space", "/": "slash", "?": "question_mark", "-": "minus", ".": "full_stop"}


def burst(app: TextualApp, *keys: str | events.Event) -> None:
    """Put input into the app's queue at once, as the driver does after one read."""
    for key in keys:
        event = key if isinstance(key, events.Event) else None
        if event is None:
            assert isinstance(key, str)
            event = events.Key(KEYS.get(key, key), key if len(key) == 1 else None)
        app.post_message(event)


class Asked(ModalScreen[str]):
    """A dialog that takes its time to be there."""

    BINDINGS = [("enter", "done", "Done")]

    def compose(self) -> ComposeResult:
        yield Input()

    async def on_mount(self) -> None:
        await asyncio.sleep(0.05)
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)


class Plain(TextualApp):
    """o opens a dialog, and what is written there is kept; x counts."""

    BINDINGS = [("o", "open", "Open"), ("x", "count", "Count"), ("w", "wait", "Wait")]

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def compose(self) -> ComposeResult:
        yield Input(id="below", disabled=True)

    def action_open(self) -> None:
        self.push_screen(Asked(), lambda text: self.heard.append(str(text)))

    def action_count(self) -> None:
        self.heard.append("x")

    async def action_wait(self) -> None:
        await asyncio.sleep(0.05)
        self.heard.append("waited")


async def worked_off(pilot: Pilot[Any], app: TextualApp) -> None:
    await until(pilot, lambda: not app.message_queue_size and not app.input_waits)
    await pilot.pause()


async def test_each_key_finds_what_the_one_before_it_opened_and_closed() -> None:
    app = Plain()
    async with app.run_test() as pilot:
        burst(app, *"xoone", "enter", *"xotwo", "enter", "x", "w", "x")
        await worked_off(pilot, app)
        assert app.heard == ["x", "one", "x", "two", "x", "waited", "x"]


async def test_what_is_pasted_and_typed_keeps_its_order() -> None:
    app = Plain()
    async with app.run_test() as pilot:
        burst(app, *"oa", events.Paste("bc"), "d", "enter", events.Paste("lost: nobody takes it"), "x")
        await worked_off(pilot, app)
        assert app.heard == ["abcd", "x"]


async def test_the_first_key_is_held_up_by_nothing() -> None:
    app = Plain()
    async with app.run_test() as pilot:
        await pilot.pause()
        burst(app, "x")
        while app.message_queue_size:
            await asyncio.sleep(0)
        for _ in range(3):  # its way up from the screen
            await asyncio.sleep(0)
        assert app.heard == ["x"]


async def test_an_app_that_never_rests_keeps_no_key() -> None:
    app = Plain()
    async with app.run_test() as pilot:
        await pilot.pause()
        rounds = 0
        over = False

        async def again() -> None:
            nonlocal rounds
            rounds += 1
            await asyncio.sleep(0)  # Textual's loop goes on with what is in a queue without letting any other task run
            if not over:
                app.call_later(again)

        await again()
        try:
            burst(app, *"oone", "enter", "x")
            async with asyncio.timeout(60):
                while app.heard != ["one", "x"]:
                    await asyncio.sleep(0.01)  # not the pilot's pause: that waits for rest
            assert rounds > ROUNDS
        finally:
            over = True


async def test_ending_while_keys_wait() -> None:
    app = Plain()
    async with app.run_test():
        burst(app, *"wwwwxxx")
        await asyncio.sleep(0.01)
        app.exit("left")
    assert app.return_value == "left" and not app.input_waits and app.ended_by is None


# The screens


async def test_the_palette_runs_what_was_asked_for(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, "ctrl+p", *"open a rec", "enter", *"resnet20", "enter")
        await until(pilot, lambda: app.editor.recipe.name == "resnet20")


async def test_dialogs_open_at_once_whatever_they_have_to_find_out(make_app: AppFactory) -> None:
    asked = threading.Event()

    def slow() -> list[Gpu]:
        asked.wait(60)
        return []

    app = make_app(gpus=slow)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, "D", "up", "enter", *"?")  # the cursor is on cpu, which is in use
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert app.device == "auto"
        await pilot.press("escape", "D")
        assert "looking for GPUs" in app.screen.query_one(".question", Text).plain
        asked.set()
        await until(pilot, lambda: "sees no GPU here" in app.screen.query_one(".question", Text).plain)
        assert isinstance(app.screen, DeviceScreen)


def asks(app: Workbench, title: str) -> Callable[[], bool]:
    return lambda: isinstance(app.screen, ConfirmScreen) and title in app.screen._title


async def rested(pilot: Pilot[Any], app: Workbench, title: str) -> None:
    """The question is asked, drawn, and what was typed ahead is gone."""
    await until(pilot, asks(app, title))
    await worked_off(pilot, app)
    await pilot.pause(0.1)
    assert asks(app, title)()


@pytest.mark.parametrize("answer", [["enter"], ["up", "enter"], ["down", "enter"], ["escape"], ["enter", "enter"]])
async def test_no_burst_answers_a_question_that_loses_something(
    make_app: AppFactory, recipe: Recipe, answer: list[str], tmp_path: Path
) -> None:
    precious = tmp_path / "recipes" / "mine.toml"
    save_recipe(recipe.model_copy(update={"name": "mine", "about": "precious"}), precious)
    runs = many_runs(Path("runs").resolve(), 3, time.time())[::-1]
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, "4", "d", *answer)
        await rested(pilot, app, "Delete")
        await pilot.press("escape", "1")
        burst(app, "S", *"mine", "enter", *answer)
        await rested(pilot, app, "Replace")
        await pilot.press("escape", "escape")
        app.editor.toggle("cutout")
        burst(app, "o", *answer)
        await rested(pilot, app, "Unsaved")
        await pilot.press("escape", "4")
        burst(app, "l", *answer)
        await rested(pilot, app, "Unsaved")
        await pilot.press("escape")
        burst(app, "q", *answer)
        await rested(pilot, app, "Unsaved")
        assert app.is_running and app.editor.unsaved
        await pilot.press("escape")
    assert all(run.exists() for run in runs) and read_recipe_file(precious).about == "precious"


async def test_a_click_made_before_the_question_was_drawn_does_not_answer_it(make_app: AppFactory) -> None:
    (run,) = many_runs(Path("runs").resolve(), 1, time.time())
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "d")
        await rested(pilot, app, "Delete")
        x, y = app.screen.query_one("#answer-delete").region.center
        await pilot.press("escape")

        def clicked(kind: type[events.MouseEvent]) -> events.MouseEvent:
            return kind(None, int(x), int(y), 0, 0, 1, False, False, False, screen_x=int(x), screen_y=int(y))

        burst(app, "d", clicked(events.MouseDown), clicked(events.MouseUp))
        await rested(pilot, app, "Delete")
        burst(app, clicked(events.MouseDown), clicked(events.MouseUp))  # now that it is to be seen
        await until(pilot, lambda: not run.exists())


async def test_the_question_says_which_runs_it_is_about(make_app: AppFactory) -> None:
    runs = many_runs(Path("runs").resolve(), 10, time.time())[::-1]
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        entries = list(runs_screen(app).browser.rows)
        assert [entry.name for entry in entries] == [run.name for run in runs]
        about = delete_question(entries[:1], entries[0], (), "12 kB")
        assert about.startswith(f"{runs[0].name}, the run under the cursor.\n12 kB with")
        about = delete_question(entries[:2], entries[1], ())
        assert f"{runs[0].name}\n{runs[1].name}\nThe run under the cursor, {runs[1].name}, is one of them." in about
        about = delete_question(entries[:1], entries[1], ())
        assert f"The run under the cursor, {runs[1].name}, is not among them and stays." in about
        about = delete_question(entries[:8], None, {runs[1].name})
        assert f"{runs[1].name} (not in sight: the filter)" in about and "and 2 more." in about
        assert "kept for 7 days, at most 10 GB" in about and "cursor" not in about
        await pilot.press("space", "j", "space", "d")
        await rested(pilot, app, "Delete these 2 runs?")
        text = app.screen.query_one(".question", Text).plain
        assert runs[0].name in text and "is one of them" in text


async def test_u_brings_back_what_was_deleted(make_app: AppFactory) -> None:
    runs: list[RunDirectory] = many_runs(Path("runs").resolve(), 3, time.time())[::-1]
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "space", "j", "space", "d", "up", "enter")
        await until(pilot, lambda: len(runs_screen(app).browser.rows) == 1)
        assert "deleted 2 runs; u brings back" in list(app._notifications)[-1].message
        await pilot.press("u")
        await until(pilot, lambda: len(runs_screen(app).browser.rows) == 3)
        assert all(run.exists() for run in runs)
        await pilot.press("u")
        await until(pilot, lambda: "nothing was deleted" in list(app._notifications)[-1].message)


async def test_results_open_at_once_and_say_where_there_are_none(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.tui.run import results

    asked = threading.Event()

    load = results.load_results

    def slow(path: Path) -> Results:
        asked.wait(60)
        return load(path)

    monkeypatch.setattr(results, "load_results", slow)
    (run,) = many_runs(Path("runs").resolve(), 1, time.time())
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        results.show_results(app, run)
        await pilot.press("v", "j")
        assert isinstance(app.screen, ResultsScreen)
        asked.set()
        await until(pilot, lambda: bool(app._notifications))
        assert not isinstance(app.screen, ResultsScreen)
        assert "has no evaluation.json" in list(app._notifications)[-1].message


def runs_screen(app: Workbench) -> RunsScreen:
    assert isinstance(app.screen, RunsScreen), app.screen
    return app.screen


async def test_keys_find_the_runs_listed(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_app, "MOMENT", 60)
    many_runs(Path("runs").resolve(), 3, time.time())
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, *"4 j ")
        await worked_off(pilot, app)
        assert len(runs_screen(app).browser.selection.looks) == 2


async def test_keys_find_the_recipe_that_is_loaded(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(terminal_app, "MOMENT", 60)
    reading = RunDirectory.recipe

    def slowly(run: RunDirectory) -> Recipe:
        time.sleep(0.2)
        return reading(run)

    monkeypatch.setattr(RunDirectory, "recipe", slowly)
    run = many_runs(Path("runs").resolve(), 1, time.time())[0]
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, *"4lScopied", "enter")
        copied = tmp_path / "recipes" / "copied.toml"
        await until(pilot, copied.exists)
        await worked_off(pilot, app)
    assert read_recipe_file(copied).techniques == reading(run).techniques


@pytest.fixture
def slow_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's directory takes half a second."""
    making = training_app.create_run

    def slowly(root: Path, recipe: Recipe) -> RunDirectory:
        time.sleep(0.5)
        return making(root, recipe)

    monkeypatch.setattr(training_app, "create_run", slowly)


@pytest.mark.usefixtures("slow_to_make")
async def test_keys_typed_after_r_find_the_run(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_app, "MOMENT", 60)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, *"r1?")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert app.current_mode == "compose" and app.tracked is not None


@pytest.mark.usefixtures("slow_to_make")
async def test_a_run_that_was_slow_to_make_takes_nobody_away(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(terminal_app, "MOMENT", 0.05)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        burst(app, *"rSmi")
        await until(pilot, lambda: app.tracked is not None)
        assert any("is being trained; 2 shows it" in told.message for told in app._notifications)
        burst(app, *"ne", "enter")
        await until(pilot, (tmp_path / "recipes" / "mine.toml").exists)
        assert app.current_mode == "compose"


async def test_keys_do_not_wait_for_files_that_are_slow(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_app, "MOMENT", 0.05)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.hold_input()
        burst(app, *"2?")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_a_question_is_answered_once_it_was_seen(make_app: AppFactory) -> None:
    assert issubclass(OpenScreen, Screen)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.editor.toggle("cutout")
        await pilot.press("o", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
