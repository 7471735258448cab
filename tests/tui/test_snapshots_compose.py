"""Pictures of Compose: a conflict with its fixes, and the augmented samples.

After a wanted change: ``pytest tests/tui/test_snapshots_compose.py --snapshot-update``, and look at them.
"""

from __future__ import annotations

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.test_checks_of_a_recipe import FAKE
from tests.tui.test_compose import TestPilot
from tests.tui.test_snapshots import LARGE, SMALL, Compare, after, only_these_techniques
from tests.waiting import until
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.widgets import Text

__all__ = ["only_these_techniques"]

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])


@SIZES
def test_conflict_and_its_fixes(snap_compare: Compare, make_app: AppFactory, size: tuple[int, int]) -> None:
    before = after("space", "d", place="techniques.adamw")
    assert snap_compare(make_app(preview=True), terminal_size=size, run_before=before)


def test_fixes_to_choose_from(snap_compare: Compare, make_app: AppFactory) -> None:
    before = after("space", "f", place="techniques.adamw")
    assert snap_compare(make_app(preview=True), terminal_size=SMALL, run_before=before)


@SIZES
def test_samples(snap_compare: Compare, make_app: AppFactory, size: tuple[int, int]) -> None:
    async def drawn(pilot: TestPilot) -> None:
        app = pilot.app
        assert isinstance(app, Workbench)
        await after("v", "v")(pilot)
        await until(pilot, lambda: app.preview.picture.samples is not None)
        await pilot.pause()

    assert snap_compare(make_app(preview=True), terminal_size=size, run_before=drawn)


@SIZES
def test_overfit_test(snap_compare: Compare, make_app: AppFactory, size: tuple[int, int]) -> None:
    async def tested(pilot: TestPilot) -> None:
        await after("b")(pilot)
        await until(pilot, lambda: "the goal" in pilot.app.screen.query_one(".trial--said", Text).plain)
        await pilot.pause()

    assert snap_compare(make_app(preview=True, check_command=FAKE), terminal_size=size, run_before=tested)
