"""Seeds folded into one line, filters by keys of the recipes, and the columns that one asks for, by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, RECIPE
from tests.tui.many_runs import many_runs, variant
from tests.tui.test_compose import type_
from tests.tui.test_runs import lines, read, screen, table, text
from tests.waiting import until
from workbench.recipe import save_recipe
from workbench.runs.find.groups import Group
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import baseline
from workbench.tui.common.screens import ConfirmScreen, LineScreen
from workbench.tui.common.widgets import Text


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    """Three seeds of each of five recipes, the newest first, and one run that waits."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "small.toml").write_text(RECIPE)
    found = many_runs(tmp_path / "runs", 15, NOW)[::-1]
    waiting = RunDirectory(tmp_path / "runs" / "20200101-000000-small-ffff")
    waiting.path.mkdir()
    save_recipe(variant("small", "", 9), waiting.recipe_file)
    return [*found, waiting]


async def test_seeds_fold_open_and_close(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert "all " in text(app, "runs-common") and "batch 64" in text(app, "runs-common")
        await pilot.press("G")
        assert "16 runs · folded" in screen(app).about().plain
        rows = screen(app).browser.rows
        assert len(rows) == 5 and all(isinstance(row, Group) for row in rows)
        plain = next(number for number, row in enumerate(rows) if isinstance(row, Group) and len(row.members) == 4)
        assert "small ×4" in lines(app)[1 + plain] and "◌ 1" in lines(app)[1 + plain]  # one of them is queued
        await pilot.press("home", *["down"] * plain, "right")
        assert len(screen(app).browser.rows) == 9
        assert [line.split().count("seed") for line in lines(app)[2 + plain : 6 + plain]] == [1] * 4
        await pilot.press("down", "down", "left")  # from a run below it
        assert len(screen(app).browser.rows) == 5 and table(app).cursor == plain
        await pilot.press("enter", "down", "enter")  # opens it; then goes to the run
        await until(pilot, lambda: app.current_mode == "run")
        await pilot.press("4", "G")
        assert len(screen(app).browser.rows) == 16


async def test_a_group_shows_mean_spread_and_every_seed(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("G", "home")
        await read(pilot, app)
        group = table(app).entry
        assert isinstance(group, Group)
        await until(pilot, lambda: "mean ± spread of 3" in str(screen(app).query_one("#details-figures").border_title))
        figures, head = text(app, "details-figures"), text(app, "details-head")
        assert "±" in figures and "test accuracy" in figures and "seeds 0, 1, 2" in head and "×3" in head
        assert screen(app).browser.labels([member.name for member in group.members]) == ["seed 2", "seed 1", "seed 0"]
        others = [row for row in screen(app).browser.rows if isinstance(row, Group) and row.recipe == "small"][:2]
        one = [row.members[0].name for row in others]
        names = screen(app).browser.labels([*one, screen(app).browser.rows[0].run.name])
        assert len(set(names)) == 3 and names[-1].startswith("slow")


async def test_sort_filter_and_select_of_groups(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("G")
        browser = screen(app).browser
        browser.sort_by("acc")
        screen(app).refresh_rows()
        means = [row.status.test_accuracy or 0.0 for row in browser.rows if row.status]
        assert means == sorted(means, reverse=True)
        await pilot.press("slash")
        await type_(pilot, "+cutout")
        assert len(browser.rows) == 1 and len(browser.found) == 3 and "3 of 16 runs" in screen(app).about().plain
        await pilot.press("enter", "space")
        assert list(browser.selection.looks) == [member.name for member in browser.found]
        await pilot.press("space")
        assert not browser.selection.looks
        app.screen.query_one(Input).value = "learning_rate=0.7"
        await pilot.pause()
        assert "No run is like that: sgd.learning_rate is 0.01, 0.05." in text(app, "runs-nothing")
        app.screen.query_one(Input).value = "learnig_rate>0"
        await pilot.pause()
        assert "did you mean 'learning_rate'?" in text(app, "runs-problem")


async def test_a_filter_means_also_what_comes_later(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("slash")
        await type_(pilot, "learning_rate=0.002")
        assert screen(app).browser.rows == []
        recipe = RECIPE.replace("[techniques.sgd]", "[techniques.adamw]").replace("0.05", "0.002")
        new = RunDirectory(runs[0].path.parent / "20300101-000000-small-eeee")
        new.path.mkdir()
        new.recipe_file.write_text(recipe)
        await until(pilot, lambda: [row.name for row in screen(app).browser.rows] == [new.name])


async def test_deleting_under_the_cursor_names_the_runs_of_the_group(
    make_app: AppFactory, runs: list[RunDirectory]
) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("G", "home")
        group = table(app).entry
        assert isinstance(group, Group)
        names = [member.name for member in group.members]
        await pilot.press("d")
        assert isinstance(app.screen, ConfirmScreen)
        said = "\n".join(str(each.plain) for each in app.screen.query(Text))
        assert "The runs under the cursor:" in said and all(name in said for name in names)
        assert "other seeds" not in said
        await pilot.press("escape", "down", "space", "up", "d")
        assert isinstance(app.screen, ConfirmScreen)
        said = "\n".join(str(each.plain) for each in app.screen.query(Text))
        assert "Of the 3 runs under the cursor none are among them" in said
        await pilot.press("escape", "escape", "d")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("up", "enter")
        await until(pilot, lambda: not any(each.path.exists() for each in runs if each.name in names))
        await until(pilot, lambda: len(screen(app).browser.rows) == 4)
        await pilot.press("u")
        await until(pilot, lambda: len(screen(app).browser.rows) == 5)


async def test_a_baseline_marks_its_group_and_is_pinned_on_a_run(
    make_app: AppFactory, runs: list[RunDirectory], tmp_path: Path
) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("G", "home", "b", "c", "n")
        assert baseline(tmp_path / "runs") == "" and not isinstance(app.screen, LineScreen)  # of one run only
        await pilot.press("right", "down", "b")
        await until(pilot, lambda: "⚑" in lines(app)[1] and "⚑" in lines(app)[2])
        assert "⚑" not in lines(app)[3] and "± test" in lines(app)[0]
        assert baseline(tmp_path / "runs") == runs[0].name


async def test_columns_are_asked_for_and_remembered(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("o")
        assert isinstance(app.screen, LineScreen)
        app.screen.query_one(Input).value = "acc learnig_rate"
        await pilot.press("enter")
        assert isinstance(app.screen, LineScreen)
        assert "did you mean 'learning_rate'?" in app.screen.query_one("#line-hint", Text).plain
        app.screen.query_one(Input).value = "acc, lr cutout state"
        await pilot.press("enter")
        assert lines(app)[0].split() == ["test", "lr", "cutout", "state"]
        await pilot.press("s")
        assert "test▼" in lines(app)[0]
        await pilot.press("s", "S")
        assert "lr▼" in lines(app)[0]
        assert screen(app).browser.remembered["columns"] == ["acc", "lr", "cutout", "state"]
        await pilot.press("o")
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        assert "recipe" in lines(app)[0]


async def test_a_burst_of_keys_is_as_good_as_one_by_one(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "G", "end", "right", "down", "left", "space", "S", "G", "s", "o", "escape", "G")
        await read(pilot, app)
        rows = screen(app).browser.rows
        assert len(rows) == 5 and screen(app).browser.folded
