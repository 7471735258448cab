"""A recipe from a data source and a model; claims that speak of others."""

from __future__ import annotations

from textual.widgets import Input

from tests.tui.conftest import AppFactory
from tests.tui.test_by_hand import question
from tests.tui.test_compose import go_to, line, type_
from workbench.recipe import Expect, Recipe
from workbench.tui.compose.form_screen import FormScreen
from workbench.tui.compose.screen import ComposeScreen


async def test_data_and_model_make_a_recipe_that_can_be_trained(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("N")
        assert isinstance(app.screen, FormScreen)
        await pilot.press("right", "down")  # from digits to folder, whose path is asked for
        await pilot.press("enter")
        assert isinstance(app.screen, FormScreen)  # it is missing
        await type_(pilot, "flowers")
        await pilot.press("down", "right", "enter")
        await pilot.pause()
        recipe = app.editor.recipe
        assert isinstance(app.screen, ComposeScreen)
        assert (recipe.name, recipe.data_source.path, recipe.model.name) == ("flowers-resnet", "flowers", "resnet")  # type: ignore[attr-defined]
        assert app.editor.conflicts() == [] and app.editor.path is None and app.editor.changes() == []


async def test_what_is_not_saved_is_asked_about_first(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.cutout")
        await pilot.press("space", "N")
        assert "not saved" in question(app)
        await pilot.press("escape")
        assert app.editor.recipe.on("cutout")


async def test_claims_of_other_data_or_another_model_can_be_dropped(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(recipe=recipe.model_copy(update={"expect": Expect(parameters=3)}))
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.cutout")
        await pilot.press("space")
        assert "[expect]" not in line(app)
        await pilot.press("x")
        assert app.editor.recipe.expect.parameters == 3  # they speak of what is there
        await go_to(pilot, "model")
        await pilot.press("enter")
        assert isinstance(app.focused, Input)
        app.focused.value = "8, 16"
        await pilot.press("enter")
        await pilot.pause()
        assert "[expect] speaks of another model  x drops it" in line(app)
        await pilot.press("x")
        assert app.editor.recipe.expect == Expect() and "[expect]" not in line(app)
        await pilot.press("u")
        assert app.editor.recipe.expect.parameters == 3
