"""Pictures of Compose: a conflict with its fixes, and the augmented samples.

After a wanted change: ``pytest tests/tui/test_snapshots_compose.py --snapshot-update``, and look at them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import RECIPE
from tests.tui.test_checks_of_a_recipe import FAKE
from tests.tui.test_compose import TestPilot
from tests.tui.test_snapshots import LARGE, SMALL, Compare, after, only_these_techniques
from tests.waiting import until
from workbench.recipe import read_recipe
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.widgets import Text
from workbench.tui.compose import opening
from workbench.tui.compose.opening import RecipeFile

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


def known_recipes() -> list[RecipeFile]:
    """What the dialog lists, wherever the recipes of this machine are and whatever they say."""
    saved, packaged = Path("recipes"), Path("/opt/workbench/recipes")
    files = [RecipeFile("broken", saved / "broken.toml", "saved", problem="recipes/broken.toml:7: train.epochs: 'ten'")]
    for name, about, kind, parameters, claim, measured in (
        ("mine", "digits with a lower rate", "saved", 0, "", ""),
        ("digits", "Handwritten digits in seconds", "packaged", 156_554, "≥ 98 %, our goal", "99.3 ± 0.1 %; seeds 0–5"),
        ("resnet18", "ResNet-18 for small images: SGD with momentum, step decay, crops, flips and jitter", "packaged",
         11_173_962, "88.84 % (15 epochs)", "88.5 %; seeds 0"),
        ("v0", "The baseline: three convolution blocks, plain SGD", "packaged", 620_362, "75 % (50 epochs)",
         "35.2 ± 0.4 % after 2 of 50 epochs; seeds 0–2"),
        ("v1", "v0 with He initialisation", "packaged", 620_362, "78 % (50 epochs)", ""),
    ):  # fmt: skip
        expect = (
            f'[expect]\nparameters = {parameters}\nclaim = "{claim}"\nsource = "a tutorial"\n' if parameters else ""
        )
        text = RECIPE.replace('"small"', f'"{name}"').replace('"a small recipe for tests"', f'"{about}"') + expect
        on = "one NVIDIA H100; Python 3.12.3, torch 2.11.0" if measured else ""
        path = (saved if kind == "saved" else packaged) / f"{name}.toml"
        files.append(RecipeFile(name, path, kind, read_recipe(text), measured=measured, on=on))
    return files


@SIZES
def test_open(
    snap_compare: Compare, make_app: AppFactory, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(opening, "recipe_files", known_recipes)

    async def listed(pilot: TestPilot) -> None:
        await after("o", "down", "down", "down")(pilot)
        pilot.app.focused.cursor_blink = False  # type: ignore[union-attr]
        await until(pilot, lambda: "88.84 %" in pilot.app.screen.query_one("#open-details", Text).plain)
        await pilot.pause()

    assert snap_compare(make_app(preview=True), terminal_size=size, run_before=listed)
