"""Pictures of the queue's part of the screens, in ``snapshots/``: see tests/tui/test_snapshots.py."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.helpers import lasting
from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, FakeTraining, history, written
from tests.tui.test_compose import TestPilot
from tests.tui.test_run import head
from tests.tui.test_snapshots import LARGE, SMALL, Compare, only_these_techniques  # noqa: F401
from tests.waiting import until
from workbench.recipe import Recipe
from workbench.runs.queue import jobs
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import write_status
from workbench.tui.app import training as app_training
from workbench.tui.app import training_app
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.run.screen import RunScreen

BUSY, LATER = (Path("runs") / f"20261120-14250{number}-small-3f9c" for number in (1, 2))


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_training, "ensure_worker", lambda root: None)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_queued_run(snap_compare: Compare, make_app: AppFactory, recipe: Recipe, size: tuple[int, int]) -> None:
    busy, later = written(BUSY, recipe, history(50)), written(LATER, recipe, [])
    write_status(busy, replace(lasting("running"), device="cpu"))
    later.status_file.unlink()
    jobs.add(later, "cpu")
    app = make_app(watch=later, now=lambda: NOW)

    async def read(pilot: TestPilot) -> None:
        await until(pilot, lambda: "waits for" in head(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=read)


def test_queue_question(
    snap_compare: Compare, make_app: AppFactory, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_app, "create_run", lambda root, recipe: RunDirectory(written(BUSY, recipe, []).path))
    hold = threading.Event()
    app = make_app(execute=FakeTraining(hold=hold), now=lambda: NOW)

    async def asked(pilot: TestPilot) -> None:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "step 10 of" in head(app))
        await pilot.pause()
        app.start_run()
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.pause()

    assert snap_compare(app, terminal_size=SMALL, run_before=asked)
    hold.set()
