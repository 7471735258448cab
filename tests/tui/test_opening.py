"""Opening a recipe: which ones are meant, and what is known of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from tests.tui.conftest import AppFactory
from tests.tui.test_compose import type_
from tests.waiting import until
from workbench.recipe import Recipe, read_recipe_file, save_recipe
from workbench.runs.find.resolve import resolve_recipe
from workbench.runs.store.directory import create_run
from workbench.runs.store.status import Status, write_status
from workbench.tui.common.widgets import Text
from workbench.tui.compose.opening import (
    BY_ABOUT,
    NOTHING,
    WIDE,
    OpenScreen,
    details,
    found,
    heading,
    line,
    recipe_files,
)


def names(wanted: str) -> list[str]:
    """Headings and recipes in their order, headings by their first word."""
    listed: list[str] = []
    for title, files in found(recipe_files(), wanted):
        listed += [f"[{title.split()[0]}]" if title != BY_ABOUT else "[about]", *(file.name for file in files)]
    return listed


def test_names_come_before_descriptions_and_whole_names_before_their_beginnings(recipe: Recipe) -> None:
    save_recipe(recipe.model_copy(update={"name": "my-v2", "about": "better"}), Path("recipes/my-v2.toml"))
    save_recipe(recipe.model_copy(update={"name": "v20", "about": "longer"}), Path("recipes/v20.toml"))
    assert names("v2") == ["[packaged]", "v2", "[saved]", "v20", "my-v2", "[about]", "v3"]
    assert names("94") == ["[packaged]", "fast94", "fast94-cpu", "fast94-growing", "[about]", "ninety-four"]
    assert names("cifar100")[:1] == ["[about]"]  # a data source is part of what is said of a recipe
    assert names("no such words") == []


def test_a_line_has_the_width_that_there_is() -> None:
    (file,) = [file for file in recipe_files() if file.name == "fast94"]
    for width in (30, 72, WIDE - 1, WIDE, 150, 220):
        assert len(line(file, width)) <= width
        assert len(heading(width)) <= width
    narrow = line(file, 72).plain
    assert heading(72).index("parameters") + len("parameters") == narrow.index("1.97 M") + len("1.97 M")
    assert heading(72).index("what") == narrow.index("94 % in 8 epochs")
    assert "1.97 M" in line(file, 72).plain and "94.01 %" not in line(file, 72).plain
    wide = line(file, 150).plain
    assert "1,971,352  94.01 %" in wide and "94.1 ± 0.1 %" in wide
    assert heading(150).index("claim") == wide.index("94.01 %")


def test_what_is_known_of_a_recipe_is_said() -> None:
    (file,) = [file for file in recipe_files() if file.name == "fast94"]
    said = details(file, ()).plain
    for words in (
        "pure fp16",
        "1,971,352 parameters",
        "claim 94.01 %",
        "airbench94_muon",
        "94.1 ± 0.1 %; seeds 0–5",
        "H100",
    ):
        assert words in said, words
    brief = details(file, (), brief=True).plain
    assert "H100" in brief and "torch" in said and "torch" not in brief


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_recipe_under_the_cursor_is_described_with_the_runs_that_trained_it(
    make_app: AppFactory, size: tuple[int, int]
) -> None:
    run = create_run(Path("runs"), read_recipe_file(resolve_recipe("digits")))
    write_status(run, Status("finished", test_accuracy=0.9931))
    Path("recipes").mkdir()
    Path("recipes/bad.toml").write_text("[train]\nepochs = 'ten'\n")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: bool(app.trained_like(read_recipe_file(resolve_recipe("digits")))))
        await pilot.press("o")
        assert isinstance(app.screen, OpenScreen)
        await pilot.pause()
        known = app.screen.query_one("#open-details", Text)
        assert "expected a number" in known.plain  # the broken one stands first
        await type_(pilot, "digits")
        assert "156,554 parameters" in known.plain
        assert f"trained run {run.name[-4:]}, 99.31 %" in known.plain
        options = app.screen.query_one("#open-files", OptionList)
        assert options.virtual_size.width <= options.size.width
        await pilot.press("escape", "o")
        await type_(pilot, "no such words")
        options = app.screen.query_one("#open-files", OptionList)
        assert [str(option.prompt) for option in options.options] == [NOTHING]
        assert not app.screen.query_one("#open-details", Text).plain
        await pilot.press("enter")
        assert isinstance(app.screen, OpenScreen)
