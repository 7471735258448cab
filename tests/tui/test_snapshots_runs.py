"""Pictures of the Runs screen. Ages and names do not depend on the clock, nor on where the machine is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, RECIPE
from tests.tui.many_runs import many_runs
from tests.tui.test_compose import TestPilot, type_
from tests.tui.test_runs import read
from tests.tui.test_snapshots import LARGE, SMALL, Compare
from workbench.runs.store.notes import pin
from workbench.tui.app.workbench import Workbench


@pytest.fixture(autouse=True)
def _somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The names of runs have local time in them."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def app(make_app: AppFactory, tmp_path: Path, _somewhere: None) -> Workbench:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "small.toml").write_text(RECIPE)
    runs = many_runs(Path("runs"), 40, NOW)
    pin(Path("runs"), runs[30].name)
    return make_app(now=lambda: NOW)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_runs_overlay(snap_compare: Compare, app: Workbench, size: tuple[int, int]) -> None:
    async def two(pilot: TestPilot) -> None:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("j", "j", "space", "j", "space", *["v"] * (size == SMALL))
        await read(pilot, app)

    assert snap_compare(app, terminal_size=size, run_before=two)


def test_runs_details(snap_compare: Compare, app: Workbench) -> None:
    async def one(pilot: TestPilot) -> None:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("j", "j", "j")
        await read(pilot, app)

    assert snap_compare(app, terminal_size=SMALL, run_before=one)


def test_runs_filter(snap_compare: Compare, app: Workbench) -> None:
    async def mistyped(pilot: TestPilot) -> None:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("slash")
        await type_(pilot, "state:finished test>90%")
        await type_(pilot, " sed:0")
        pilot.app.focused.cursor_blink = False  # type: ignore[union-attr]
        await read(pilot, app)

    assert snap_compare(app, terminal_size=SMALL, run_before=mistyped)
