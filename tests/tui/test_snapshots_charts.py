"""Pictures of the Run screen's charts: one in full with its cursor, the machine's figures, zoomed, in ASCII."""

from __future__ import annotations

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, history, written
from tests.tui.test_compose import TestPilot
from tests.tui.test_run import head
from tests.tui.test_snapshots import LARGE, RUN, SMALL, Compare
from tests.waiting import until
from workbench.recipe import Recipe
from workbench.runs.store.machine import Sample
from workbench.storage.json_text import dumps
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.palette import Palette

GIB = 2**30
SAMPLES = [
    Sample(
        NOW - 100 + s,
        5 * s,
        0.9 + s % 3 / 10,
        3 * GIB,
        0.95 - s % 4 / 20,
        (4 + s // 10) * GIB,
        80 * GIB,
        412.5,
        1755,
        61,
        ("power cap reached",),
    )
    for s in range(31)
]


def picture(snap_compare: Compare, make_app: AppFactory, recipe: Recipe, size: tuple[int, int], *keys: str) -> None:
    run = written(RUN, recipe, history(150))
    run.machine_file.write_text("".join(dumps(sample) + "\n" for sample in SAMPLES))

    async def read(pilot: TestPilot) -> None:
        assert isinstance(pilot.app, Workbench)
        app = pilot.app
        await until(pilot, lambda: "step 150" in head(app))
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()

    assert snap_compare(make_app(watch=run, now=lambda: NOW - 70), terminal_size=size, run_before=read)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_charts_full_with_cursor(
    snap_compare: Compare, make_app: AppFactory, recipe: Recipe, size: tuple[int, int]
) -> None:
    picture(snap_compare, make_app, recipe, size, "f", "left", "left", "left", "left")


def test_charts_gpu_and_focus(snap_compare: Compare, make_app: AppFactory, recipe: Recipe) -> None:
    picture(snap_compare, make_app, recipe, LARGE, "tab", "x")


def test_charts_gpu_on_a_small_terminal(snap_compare: Compare, make_app: AppFactory, recipe: Recipe) -> None:
    picture(snap_compare, make_app, recipe, SMALL, "v", "v", "left")


def test_charts_zoomed(snap_compare: Compare, make_app: AppFactory, recipe: Recipe) -> None:
    picture(snap_compare, make_app, recipe, SMALL, "left", "plus", "plus", "plus")


def test_charts_ascii(
    snap_compare: Compare, make_app: AppFactory, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workbench, "palette", Palette(ascii=True))
    picture(snap_compare, make_app, recipe, SMALL, "l")
