"""Queueing from the screens, what a queued run looks like, and leaving: to the background, to the shell, by Ctrl-C."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from textual.geometry import Offset
from textual.selection import Selection
from textual.widgets import Button

from tests.runs.helpers import lasting, state_of
from tests.tui.conftest import AppFactory
from tests.tui.fakes import FakeTraining, written
from tests.tui.test_run import head
from tests.waiting import GIVE_UP, until
from workbench.devices import Gpu
from workbench.recipe import Recipe
from workbench.runs.errors import RunError
from workbench.runs.queue import held_devices, jobs
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import new_status, write_status
from workbench.tui.app import leaving
from workbench.tui.app import training as app_training
from workbench.tui.app.training import QueueWatcher
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.widgets import Text
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.run.screen import RunScreen


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No processes: the folders of runs for which a worker was wanted."""
    asked: list[Path] = []
    monkeypatch.setattr(app_training, "ensure_worker", lambda root: asked.append(root))
    return asked


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    found = [Gpu(number, f"GPU-{number}", "a GPU", 70, 80) for number in range(count)]
    monkeypatch.setattr(held_devices, "list_gpus", lambda: found)


def notices(app: Workbench) -> str:
    return "\n".join(notice.message for notice in app._notifications)


def answers(app: Workbench) -> list[str]:
    return [str(button.label) for button in app.screen.query(Button)]


def holding(app: Workbench) -> RunDirectory:
    assert app.training is not None and app.training.run is not None
    return app.training.run


async def test_a_second_run_is_queued(make_app: AppFactory, workers: list[Path]) -> None:
    hold = threading.Event()
    training = FakeTraining(hold=hold)
    app = make_app(execute=training)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("1", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert answers(app) == ["Queue it: it begins when its device is free", "Cancel"]
        await pilot.press("escape", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert jobs.entries(Path("runs")) == []
        await pilot.press("enter")
        await until(pilot, lambda: "is queued, place 1" in notices(app))
        (entry,) = jobs.entries(Path("runs"))
        assert entry.job.device == "cpu" and entry.run.recipe().name == app.editor.recipe.name
        assert state_of(entry.run) == "queued" and workers[-1] == Path("runs")
        assert isinstance(app.screen, ComposeScreen)  # nothing was switched
    assert len(training.calls) == 1
    hold.set()


async def test_a_free_gpu_is_offered_too(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    detached: list[tuple[str, bool]] = []
    monkeypatch.setattr(app_training, "detach", lambda run, device, *rest: detached.append((device, run.exists())))
    hold = threading.Event()
    app = make_app(execute=FakeTraining(hold=hold))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        other = written(Path("runs/other").resolve(), app.editor.recipe, [])
        write_status(other, replace(lasting("running"), device="cuda:0"))
        await pilot.press("1", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await until(pilot, lambda: len(answers(app)) == 3)
        assert answers(app)[1] == "Train it now on cuda:1, in the background"
        await pilot.press("down", "enter")
        await until(pilot, lambda: "begins on cuda:1" in notices(app))
        assert detached == [("cuda:1", True)]
    hold.set()


async def test_a_run_that_cannot_be_queued_says_so(make_app: AppFactory) -> None:
    hold = threading.Event()
    app = make_app(execute=FakeTraining(hold=hold))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        app.resume_run(holding(app))  # the one at work
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "is at work already" in notices(app))
    hold.set()


async def test_a_queued_run_says_what_it_waits_for_and_can_be_taken_out(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    busy = written(tmp_path / "runs" / "busy", recipe, [])
    write_status(busy, replace(lasting("running"), device="cpu"))
    run = written(tmp_path / "runs" / "later", recipe, [])
    run.status_file.unlink()
    jobs.add(run, "cpu")
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "place 1: waits for busy" in head(app))
        assert "loading torch" not in head(app)
        await pilot.press("p", "c")  # nobody to ask
        assert notices(app) == "" and not run.control_file.exists()
        await pilot.press("s")
        assert "Take it out" in answers(app)[0]
        await pilot.press("up", "enter")
        await until(pilot, lambda: "stopped" in head(app))
    assert jobs.entries(tmp_path / "runs") == []


async def test_what_the_queue_begins_is_told(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    root = tmp_path / "runs"
    a, b, c = (written(root / name, recipe, []) for name in "abc")
    for run in (a, b, c):
        run.status_file.unlink()
        jobs.add(run, "cpu")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        watcher = app._queue
        await until(pilot, lambda: len(watcher._waiting) == 3)
        jobs.drop(jobs.entries(root)[0])
        write_status(a, lasting("running"))
        await until(pilot, lambda: "a begins" in notices(app))
        assert isinstance(app.screen, ComposeScreen)
        jobs.drop(jobs.entries(root)[0])
        write_status(b, replace(new_status("failed", 0), message="no such plugin"))
        await until(pilot, lambda: "b could not begin: no such plugin" in notices(app))
        jobs.remove(c)  # nothing to tell
        await until(pilot, lambda: not watcher._waiting)
        await pilot.pause(0.6)
        assert len(list(app._notifications)) == 2


def test_queued_runs_that_nobody_looks_after_are_taken_up(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(app_training, "ensure_worker", lambda root: asked.append(root) or 123)
    heard: list[str] = []
    told = threading.Event()
    watcher = QueueWatcher(tmp_path, lambda message: (heard.append(message.text), told.set()), 0.01)
    watcher.start()
    assert told.wait(GIVE_UP)
    watcher.stop()
    assert asked[0] == tmp_path and "goes on now" in heard[0]


# Leaving


async def test_going_on_in_the_background_keeps_the_queue_from_the_device(make_app: AppFactory) -> None:
    app = make_app(execute=FakeTraining(hold=threading.Event()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("q", "enter")
        await until(pilot, lambda: app._exit)
    assert app.return_value == "background" and app.queue_hold is not None
    another = jobs.Claim(jobs.hold_file(Path("runs")))
    assert not another.take()
    app.queue_hold.give_back()
    assert another.take()
    another.give_back()


async def test_ctrl_c_asks_even_where_q_does_not(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+c")
        assert answers(app) == ["Quit", "Cancel"]
        await pilot.press("escape")
        assert isinstance(app.screen, ComposeScreen)
        await pilot.press("ctrl+c", "enter")
        await pilot.pause()
    assert app.return_value == ""


async def test_ctrl_c_while_training_asks_what_becomes_of_it(make_app: AppFactory) -> None:
    hold = threading.Event()
    app = make_app(execute=FakeTraining(hold=hold))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("ctrl+c")
        assert answers(app)[0] == "Stop at a checkpoint and quit"
    hold.set()


async def test_ctrl_c_copies_what_is_selected(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        text = app.screen.query_one("#card Text", Text)
        app.screen.selections = {text: Selection(Offset(0, 0), Offset(5, 0))}
        await pilot.press("ctrl+c")
        assert isinstance(app.screen, ComposeScreen)
        assert app.clipboard and text.plain.startswith(app.clipboard)


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Times that the process was suspended, without doing so."""
    stopped: list[str] = []
    monkeypatch.setattr(Workbench, "action_suspend_process", lambda app: stopped.append("stopped"))
    monkeypatch.setattr(leaving, "shell_waits", lambda: True)
    return stopped


async def test_ctrl_z_suspends_at_once_without_a_training(make_app: AppFactory, stops: list[str]) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+z")
        await pilot.press("2", "ctrl+z")
        assert len(stops) == 2


async def test_ctrl_z_asks_while_training(make_app: AppFactory, stops: list[str]) -> None:
    hold = threading.Event()
    app = make_app(execute=FakeTraining(hold=hold))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("ctrl+z", "enter")
        assert not stops
        await pilot.press("ctrl+z", "up", "enter")
        assert len(stops) == 1
    hold.set()


async def test_ctrl_z_without_a_shell_behind_it_does_nothing(
    make_app: AppFactory, stops: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "shell_waits", lambda: False)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+z")
        assert not stops and "no shell" in notices(app)


async def test_in_a_browser_runs_are_trained_in_processes_of_their_own(
    make_app: AppFactory, workers: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def detach(run: RunDirectory, device: str, *rest: object) -> int:
        begun.append(device)
        write_status(run, lasting("running"))
        return os.getpid()

    monkeypatch.setattr(app_training, "detach", detach)
    training = FakeTraining()
    app = make_app(execute=training, settings={"in_browser": True})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("1", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert answers(app)[0] == "Queue it: it begins when its device is free"
        await pilot.press("escape", "ctrl+z")
        await until(pilot, lambda: "no shell behind this terminal" in notices(app))
        await pilot.press("q")  # no question: nothing ends with these screens
    assert app.return_value == ""
    assert (begun, training.calls) == (["cpu"], [])


async def test_in_a_browser_a_run_that_cannot_begin_says_so(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detach(run: RunDirectory, *rest: object) -> int:
        raise RunError("no room for a process")

    monkeypatch.setattr(app_training, "detach", detach)
    app = make_app(settings={"in_browser": True})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: "no room for a process" in notices(app))
        await pilot.press("r")  # and may be tried again
        await until(pilot, lambda: notices(app).count("no room for a process") == 2)
