"""Pictures of the Profile screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, history, phases, profiled, written
from tests.tui.test_compose import TestPilot
from tests.tui.test_profile import verdict
from tests.tui.test_snapshots import LARGE, SMALL, Compare
from tests.waiting import until
from workbench.recipe import Recipe
from workbench.runs.store.machine import Sample
from workbench.storage.json_text import dumps
from workbench.tui.app.workbench import Workbench
from workbench.tui.profile.widgets import StepBar

RUN = Path("runs") / "20261120-142501-small-3f9c"


@pytest.fixture
def app(make_app: AppFactory, recipe: Recipe) -> Workbench:
    run = profiled(written(RUN, recipe, [*history(150), phases(150)]))
    return make_app(watch=run, now=lambda: NOW - 70)


async def measured(pilot: TestPilot, *keys: str) -> None:
    app = pilot.app
    assert isinstance(app, Workbench)
    await pilot.press("3")
    await until(pilot, lambda: app.tracked is not None and app.tracked.saved.stacks is not None)
    await pilot.press("p")
    await until(pilot, lambda: "Loader-bound" in verdict(app))
    await until(pilot, lambda: not app.profiling.busy)
    await pilot.press(*keys)
    await until(pilot, lambda: not app.profiling.busy and ("t" in keys) == ("Tried" in verdict(app)))
    await pilot.pause()


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_profile(snap_compare: Compare, app: Workbench, size: tuple[int, int]) -> None:
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: measured(pilot, "t"))


def test_profile_suggestion(snap_compare: Compare, app: Workbench) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=measured)


def test_profile_stacks(snap_compare: Compare, app: Workbench) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=lambda pilot: measured(pilot, "v", "j", "j"))


def test_profile_operators(snap_compare: Compare, app: Workbench) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=lambda pilot: measured(pilot, "v", "v", "x"))


def test_profile_parts(snap_compare: Compare, app: Workbench) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=lambda pilot: measured(pilot, "v", "v", "v"))


def test_profile_ascii(snap_compare: Compare, make_app: AppFactory, recipe: Recipe) -> None:
    run = profiled(written(RUN, recipe, [*history(150), phases(150)]))
    app = make_app(watch=run, now=lambda: NOW - 70, settings={"ascii": True})
    assert snap_compare(app, terminal_size=SMALL, run_before=measured)


def test_profile_nothing(snap_compare: Compare, make_app: AppFactory) -> None:
    async def there(pilot: TestPilot) -> None:
        await pilot.press("3")
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=SMALL, run_before=there)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_profile_of_steps_without_their_graph_on_a_shared_gpu(
    snap_compare: Compare, make_app: AppFactory, recipe: Recipe, size: tuple[int, int]
) -> None:
    """What is measured is not what the others are, nor what it would be alone."""
    found = replace(phases(150), step_seconds=0.0246, recorded_seconds=0.00785)
    found = replace(found, seconds={name: value * 0.0246 / 0.2124 for name, value in found.seconds.items()})
    run = written(RUN, recipe, [*history(150), found])
    others = tuple(f"python3 (pid {pid})" for pid in range(4242, 4247))
    run.machine_file.write_text(dumps(Sample(NOW - 71, 150, gpu=0.97, gpu_others=others)) + "\n")
    app = make_app(watch=run, now=lambda: NOW - 70)

    async def shown(pilot: TestPilot) -> None:
        await pilot.press("3")
        await until(pilot, lambda: "shared with 5 other" in app.screen.query_one(StepBar).plain)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=shown)
