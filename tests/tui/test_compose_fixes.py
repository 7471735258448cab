"""Compose: conflicts with their fixes, and the diff."""

from __future__ import annotations

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.test_compose import changes, go_to, line, techniques
from workbench.recipe import Recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.widgets import Text


async def test_a_conflict_offers_its_fixes_and_one_undo_takes_one_back(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.adamw")
        await pilot.press("space")
        assert line(app).endswith("f switch off sgd or switch off adamw")
        assert len(line(app)) <= 80
        assert "switch off sgd" in changes(app)
        await pilot.press("f")
        assert isinstance(app.screen, ConfirmScreen)
        assert "a step has one optimizer" in app.screen.query_one(".question", Text).plain
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.recipe.on("adamw") and not app.editor.recipe.on("sgd")
        assert not app.editor.conflicts()
        await pilot.press("u")
        assert app.editor.recipe.on("sgd") and app.editor.conflicts()
        await pilot.press("f", "escape")
        assert app.editor.conflicts()


async def test_the_only_fix_is_applied_at_once(make_app: AppFactory, recipe: Recipe) -> None:
    mean = recipe.data.model_copy(update={"normalise": "none", "mean": (0.5,) * 3, "std": (0.5,) * 3})
    app = make_app(recipe=recipe.model_copy(update={"data": mean}))
    async with app.run_test(size=(80, 24)) as pilot:
        assert line(app).endswith("f set data.normalise to dataset")
        await pilot.press("f")
        await pilot.pause()
        assert not isinstance(app.screen, ConfirmScreen)
        assert app.editor.recipe.data.normalise == "dataset" and not app.editor.conflicts()


async def test_two_switches_are_one_change(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        for name in ("adam", "adamw"):
            await go_to(pilot, f"techniques.{name}")
            await pilot.press("space")
        await pilot.press("f", "enter")
        await pilot.pause()
        assert not app.editor.conflicts()
        await pilot.press("u")
        assert all(app.editor.recipe.on(name) for name in ("sgd", "adam", "adamw"))


async def test_without_a_conflict_nothing_is_changed(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        await pilot.pause()
        assert not app.editor.unsaved
        assert [n.message for n in app._notifications] == ["Nothing is in conflict."]


async def test_the_message_of_run_names_the_fix_and_the_users_key(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(settings={"keymap": {"compose.fix": "x"}}, recipe=recipe.with_technique(TECHNIQUES["adamw"]()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await pilot.pause()
        (notification,) = app._notifications
        assert "key x: switch off sgd" in notification.message or "key x: switch off adamw" in notification.message
        assert " x switch off" in line(app)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_d_shows_the_diff_and_goes_back(make_app: AppFactory, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:

        def rows(name: str) -> int:
            return int(app.screen.query_one(f"#{name}").region.height)

        before = rows("changes")
        await pilot.press("v", "d")
        await pilot.pause()
        assert rows("changes") > before
        await pilot.press("d")
        await pilot.pause()
        assert rows("changes") == before
        assert techniques(app).has_focus
