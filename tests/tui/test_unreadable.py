"""What the screens say of folders that cannot be read or written, and of a current folder that was deleted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.runs.helpers import bare_run
from tests.tui.conftest import AppFactory
from tests.tui.fakes import FakeTraining
from tests.tui.test_compose import until
from workbench.runs.store.status import new_status, write_status
from workbench.tui.app.leaving import write_session
from workbench.tui.compose.files import SaveScreen
from workbench.tui.compose.opening import OpenScreen
from workbench.tui.runs.table import RunTable


def notices(app: object) -> str:
    return " ".join(notice.message for notice in app._notifications)  # type: ignore[attr-defined]


async def test_the_runs_screen_counts_what_it_cannot_read(make_app: AppFactory) -> None:
    write_status(bare_run(Path("runs")), replace(new_status("finished"), test_accuracy=0.5))
    Path("runs/20261118-moved").symlink_to("/nowhere/run")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: bool(app.screen.query_one(RunTable).entry))
        assert app.screen.browser.summary() == "1 run · 1 unreadable · by age"
        await until(pilot, lambda: "20261118-moved (is a link to /nowhere/run, which is not there)" in notices(app))


async def test_a_file_in_place_of_the_runs_is_said(make_app: AppFactory) -> None:
    Path("runs").write_text("")
    training = FakeTraining(20)
    app = make_app(execute=training)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        nothing = app.screen.query_one("#runs-nothing")
        await until(pilot, lambda: "runs: cannot be read: it is not a folder" in str(nothing.render()))
        await pilot.press("1", "r")
        await until(pilot, lambda: "runs: cannot be written: it is not a folder" in notices(app))
        assert not training.calls


async def test_a_folder_of_recipes_that_is_none_is_said(make_app: AppFactory) -> None:
    Path("recipes").write_text("")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
        assert "recipes: cannot be read: it is not a folder" in str(app.screen.query_one("#open-problem").render())


async def test_a_current_folder_that_was_deleted_breaks_nothing(make_app: AppFactory, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    os.chdir(folder)
    training = FakeTraining(20)
    app = make_app(execute=training)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            folder.rmdir()
            await pilot.resize_terminal(100, 30)
            await pilot.press("r")
            await until(pilot, lambda: f"the current folder, {folder}, was deleted" in notices(app))
            assert not training.calls
            await pilot.press("4")
            nothing = app.screen.query_one("#runs-nothing")
            await until(pilot, lambda: "was deleted: go to one that exists" in str(nothing.render()))
            await pilot.press("1", "S")
            await until(pilot, lambda: isinstance(app.screen, SaveScreen))
            app.screen.query_one(Input).value = "mine"
            await pilot.press("enter")
            await until(pilot, lambda: "was deleted" in str(app.screen.query_one("#save-what").render()))
            await pilot.press("escape", "y", "2", "3", "1")
            await pilot.pause()
            assert app.is_running
    finally:
        os.chdir(tmp_path)


async def test_a_session_that_cannot_be_kept_is_said_once(make_app: AppFactory, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    app = make_app(session_path=tmp_path / "state" / "sessions" / "a.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "is not kept for the next time" in notices(app))
        assert f"{tmp_path / 'state'} is not a folder" in notices(app)
        await pilot.press("down", "space")
        await pilot.pause(0.6)
        assert notices(app).count("is not kept") == 1
    assert write_session(tmp_path / "fine" / "a.json", "{}\n") == ""


@pytest.mark.parametrize("name", ["status.json", "events.jsonl"])
async def test_a_file_of_a_run_that_cannot_be_read_is_said_on_its_screen(make_app: AppFactory, name: str) -> None:
    run = bare_run(Path("runs"))
    write_status(run, new_status("finished"))
    (run.path / name).unlink(missing_ok=True)
    (run.path / name).symlink_to("/nowhere/file")
    app = make_app(watch=run)
    async with app.run_test(size=(160, 48)) as pilot:
        await until(
            pilot, lambda: app.tracked is not None and "link to /nowhere/file" in app.tracked.advice(app.now())[0]
        )
