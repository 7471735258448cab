"""The Runs screen, driven by keys and mouse."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from tests.runs.helpers import lasting, outline_checkpoint
from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, RECIPE, started, trained
from tests.tui.many_runs import many_runs
from tests.tui.test_compose import TestPilot, type_
from tests.waiting import at_rest, until
from workbench.events import to_json
from workbench.runs.store.continuation import parent_name
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import baseline, pin, read_notes
from workbench.runs.store.status import read_status, write_status
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.screens import ConfirmScreen, KeyBar, LineScreen
from workbench.tui.common.widgets import Pane, Text
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.run.screen import RunScreen
from workbench.tui.runs.below import RunsBelow
from workbench.tui.runs.overlay import OverlayPane
from workbench.tui.runs.screen import RunsScreen
from workbench.tui.runs.table import RunTable


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    """Fifteen runs, the newest first, and the recipe that five of them were made from."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "small.toml").write_text(RECIPE)
    return many_runs(tmp_path / "runs", 15, NOW)[::-1]


def screen(app: Workbench) -> RunsScreen:
    (found,) = [each for each in app.screen_stack if isinstance(each, RunsScreen)]
    return found


def table(app: Workbench) -> RunTable:
    return screen(app).query_one(RunTable)


def lines(app: Workbench) -> list[str]:
    """The heading and the rows in sight, as they are drawn."""
    return [table(app).render_line(y).text.rstrip() for y in range(table(app).size.height)]


def text(app: Workbench, name: str) -> str:
    found = screen(app).query_one(f"#{name}")
    return found.text.plain if isinstance(found, Pane) else found.plain if isinstance(found, Text) else ""


def keys(app: Workbench) -> list[str]:
    return screen(app).query_one(KeyBar).plain.split()


async def read(pilot: TestPilot, app: Workbench) -> None:
    """Wait until all that is wanted was read."""

    def whole() -> bool:
        shown = screen(app)
        shown.refresh_below()
        reading = shown.browser.reading
        return reading.whole and reading.wanted == shown._lister._wanted and bool(reading.wanted.rows)

    await until(pilot, whole)
    await pilot.pause()


async def test_no_runs_yet_says_what_to_do(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "No runs yet in ./runs. Press 1" in text(app, "runs-nothing"))
        await pilot.press("enter", "space", "d", "b", "l", "c", "t", "n", "j", "s", "S", "v", "m", "x", "escape")
        assert isinstance(app.screen, RunsScreen)
        assert keys(app) == ["?", "help", "q", "quit"]  # an empty screen offers only what acts
        many_runs(Path("runs"), 1, NOW)
        await until(pilot, lambda: "finished" in lines(app)[1] or "stopped" in lines(app)[1])
        assert not screen(app).query_one("#runs-nothing").display
        await until(pilot, lambda: keys(app)[:4] == ["⏎", "watch", "space", "select"])


async def test_the_table_and_its_order(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert "age▲" in lines(app)[0] and "15 runs · by age" in screen(app).about().plain
        assert table(app).entry is not None and table(app).entry.name == runs[0].name
        cut = next(line for line in lines(app) if "+cutout" in line)
        assert "✓ finished small" in cut and "%" in cut
        await pilot.press("S")
        assert "age▼" in lines(app)[0]
        assert screen(app).browser.rows[0].name == runs[-1].name
        assert table(app).entry.name == runs[0].name  # the cursor stays on its run
        await pilot.press(*["s"] * 3)
        assert "test▼" in lines(app)[0]
        shown = [entry.status.test_accuracy for entry in screen(app).browser.rows if entry.status]
        assert shown == sorted(shown, key=lambda value: -(value or 0))
        await pilot.click(RunTable, offset=(lines(app)[0].index("seed"), 0))
        assert "seed▲" in lines(app)[0]
        await pilot.press("g")
        assert table(app).cursor == 0
        await pilot.press("end")
        assert table(app).cursor == 14 and table(app).in_sight[-1] == screen(app).browser.rows[-1].name
        await pilot.press("k", "pageup", "pageup", "j")
        assert table(app).cursor == 1 and table(app).scroll_offset.y == 0


async def test_filtering_as_one_types(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("slash")
        await type_(pilot, "recipe:small tag:paper")
        names = [entry.name for entry in screen(app).browser.rows]
        assert names and all("small" in name for name in names)
        assert f"{len(names)} of 15 runs" in screen(app).about().plain
        await type_(pilot, " acurracy>")
        assert "no field 'acurracy'; did you mean 'accuracy'?" in text(app, "runs-problem")
        assert [entry.name for entry in screen(app).browser.rows] == names  # the list is as it was
        app.screen.query_one(Input).value = "nothing-like-it"
        await pilot.pause()
        assert "No run is like that" in text(app, "runs-nothing")
        assert keys(app) == ["/", "filter", "esc", "clear", "?", "help", "q", "quit"]
        assert not screen(app).query_one("#runs-problem").display
        await pilot.press("escape")
        assert len(screen(app).browser.rows) == 15 and isinstance(app.focused, RunTable)
        await pilot.press("slash")
        await type_(pilot, "small")
        await pilot.press("down")
        assert isinstance(app.focused, RunTable)


async def test_nothing_is_said_of_curves_before_they_are_read(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        overlay = screen(app).query_one(OverlayPane)
        assert not screen(app).query_one(RunsBelow).chart_in_sight and not overlay.nothing.plain
        await pilot.press("v")
        await until(pilot, lambda: bool(overlay.chart.text.strip()))
        assert not overlay.nothing.plain


async def test_the_line_above_the_table_says_what_a_filter_makes_common(
    make_app: AppFactory, runs: list[RunDirectory]
) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert text(app, "runs-common").split("all ")[1].strip() == "cpu · cnn · digits · batch 64"
        await pilot.press("slash")
        for wanted, common in (
            ("+cutout", "small · cpu · cnn · digits · 10 epochs · batch 64 · +cutout"),
            ("learning_rate>0.02", "cpu · cnn · digits · 10 epochs · batch 64 · lr 0.05"),
            ("learning_rate>0.005", "cpu · cnn · digits · batch 64 · lr>0.005"),
            ("batch_size=64", "cpu · cnn · digits · batch 64"),
        ):
            screen(app).query_one("#runs-filter", Input).value = wanted
            await until(pilot, lambda common=common: text(app, "runs-common").endswith(f"all {common}"))  # type: ignore[misc]


async def test_selected_runs_keep_their_looks_and_are_compared(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("space", "j", "space", "j", "j", "space")
        await read(pilot, app)
        looks = dict(screen(app).browser.selection.looks)
        assert list(looks) == [runs[0].name, runs[1].name, runs[3].name]
        assert len(set(looks.values())) == 3
        for number, name in ((1, runs[0].name), (2, runs[1].name), (4, runs[3].name)):
            assert lines(app)[number].startswith(looks[name].mark)
        await until(pilot, lambda: "widths" in text(app, "details-recipe"))
        assert text(app, "details-figures").splitlines()[0].split()[1::2] == [run.name[-4:] for run in
                                                                              (runs[0], runs[1], runs[3])]  # fmt: skip
        overlay = screen(app).query_one(OverlayPane)
        await until(pilot, lambda: all(look.mark in overlay.chart.text for look in looks.values()))
        before = overlay.chart.text
        await pilot.press("m", "x")
        assert "test loss" in str(overlay.border_title) and "steps" in overlay.chart.text
        assert overlay.chart.text != before
        await pilot.press("k", "k", "space")  # the second one goes, the others stay as they are
        del looks[runs[1].name]
        assert screen(app).browser.selection.looks == looks
        await pilot.press("escape")
        assert not screen(app).browser.selection.looks


async def test_a_click_on_the_sign_selects_and_two_on_the_row_watch(
    make_app: AppFactory, runs: list[RunDirectory]
) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.click(RunTable, offset=(0, 3))
        assert list(screen(app).browser.selection.looks) == [runs[2].name]
        await pilot.click(RunTable, offset=(20, 2), times=2)
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.tracked is not None and app.tracked.run.name == runs[1].name
        await pilot.press("4", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.tracked.run.name == runs[2].name


async def test_a_baseline_is_pinned_and_shows_differences(
    make_app: AppFactory, runs: list[RunDirectory], tmp_path: Path
) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert "± test" not in lines(app)[0]
        await pilot.press("j", "b")
        await until(pilot, lambda: "± test" in lines(app)[0])
        assert baseline(tmp_path / "runs") == runs[1].name
        assert "⚑" in lines(app)[2]
        await pilot.press("k")
        await until(pilot, lambda: runs[1].name[-4:] in text(app, "details-figures"))
        statuses = [read_status(run) for run in runs[:2]]
        points = 100 * (statuses[0].test_accuracy - statuses[1].test_accuracy)  # type: ignore[operator,union-attr]
        assert f"{points:+.2f}" in lines(app)[1] and f"{points:+.2f}" in text(app, "details-figures")
        await until(pilot, lambda: "model.widths" in lines(app)[1])  # from the baseline's recipe, not from its own
        await pilot.press("j", "b")
        await until(pilot, lambda: "± test" not in lines(app)[0])
        assert baseline(tmp_path / "runs") == ""


async def test_tags_and_notes(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("space", "j", "space", "t")
        assert isinstance(app.screen, LineScreen)
        await type_(pilot, "-bad")
        await pilot.press("enter")
        assert isinstance(app.screen, LineScreen)  # not before it can be meant
        assert "cannot be a tag" in app.screen.query_one("#line-hint", Text).plain
        app.screen.query_one(Input).value = "paper, b-2"
        await pilot.press("enter")
        await until(pilot, lambda: read_notes(runs[1]).tags == ("paper", "b-2"))
        assert read_notes(runs[0]).tags == ("paper", "b-2") and read_notes(runs[2]).tags != ("paper", "b-2")
        await pilot.press("n")
        await type_(pilot, "words about it")
        await pilot.press("enter")
        await until(pilot, lambda: "words about it" in text(app, "details-head"))
        await pilot.press("n", "escape")
        assert read_notes(runs[1]).note == "words about it"


async def test_deleting_asks_and_refuses_live_runs(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    write_status(runs[0], lasting("running"))
    pin(runs[1].path.parent, runs[1].name)
    app = make_app(now=time.time)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert "▶ running" in lines(app)[1]
        await pilot.press("d")
        await until(pilot, lambda: bool(app._notifications))
        assert f"run '{runs[0].name}' is running; stop it first" in list(app._notifications)[-1].message
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.tracked is not None)
        await pilot.press("4", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await until(pilot, lambda: "kB" in app.screen.query_one(".question", Text).plain)
        assert runs[1].name in app.screen.query_one(".question", Text).plain
        await pilot.press("escape")
        assert runs[1].exists()
        await pilot.press("space", "j", "space", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and bool(app.screen.query(Button)))
        await pilot.press("up", "enter")
        await until(pilot, lambda: len(screen(app).browser.rows) == 13)
        assert not runs[1].path.exists() and not runs[2].path.exists() and runs[0].exists()
        assert app.tracked is None and not screen(app).browser.selection.looks
        assert screen(app).browser.baseline == ""


async def test_a_recipe_is_loaded_into_compose(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    wide = next(i for i, run in enumerate(runs) if "wide" in run.name)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press(*["j"] * wide, "l")
        await until(pilot, lambda: isinstance(app.screen, ComposeScreen))
        assert app.editor.recipe == runs[wide].recipe() and app.editor.path is None
        assert not app.editor.unsaved
        app.editor.toggle("cutout")
        await pilot.press("4", "l")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))  # what is not saved is asked about
        await pilot.press("escape")
        assert app.editor.recipe.on("cutout")
        runs[wide].recipe_file.write_text("name = ")
        await pilot.press("l", "down", "enter")  # without saving
        await until(pilot, lambda: bool(app._notifications))
        assert "recipe.toml" in list(app._notifications)[-1].message
        assert app.editor.recipe.on("cutout")  # it was not given up for nothing


async def test_only_an_ended_run_goes_on(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    status = read_status(runs[0])
    assert status is not None
    write_status(runs[0], dataclasses.replace(status, state="diverged"))
    write_status(runs[1], dataclasses.replace(status, state="stopped"))
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("c")
        assert "is diverged; stopped, lost, failed and finished runs can go on" in list(app._notifications)[-1].message
        await pilot.press("j", "c")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.training is not None and app.training.run == RunDirectory(Path("runs") / runs[1].name)


async def test_a_finished_run_is_trained_on_once_its_rates_were_seen(
    make_app: AppFactory, runs: list[RunDirectory]
) -> None:
    status = read_status(runs[0])
    assert status is not None
    write_status(runs[0], dataclasses.replace(status, state="finished", epoch=10.0))
    outline_checkpoint(runs[0], started().steps)
    runs[0].events_file.write_text("".join(to_json(event) + "\n" for event in (started(), trained(115), trained(230))))
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        await pilot.press("c")
        assert isinstance(app.screen, LineScreen) and app.screen.query_one(Input).value == "20 planned"
        app.screen.query_one(Input).value = "20 sideways"
        await pilot.press("enter")
        assert "such as: 20 rewarm" in app.screen.query_one("#line-hint", Text).plain
        app.screen.query_one(Input).value = "9"
        await pilot.press("enter")
        await until(pilot, lambda: bool(app._notifications))
        assert "has trained 10 epochs already" in list(app._notifications)[-1].message
        await pilot.press("c")
        app.screen.query_one(Input).value = "12 hold"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        asked = app.screen.query_one(".question", Text).plain
        assert asked.splitlines()[0].split() == ["rate", "at", "epoch", "planned", "hold", "←", "rewarm"]
        assert "not the same as 12 epochs from the start" in asked
        await pilot.press("escape")
        assert app.training is None and len(list(Path("runs").glob("2*"))) == 15
        await pilot.press("c")
        app.screen.query_one(Input).value = "12 hold"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.training is not None and app.training.run is not None
        made = app.training.run
        assert made.name != runs[0].name and parent_name(made) == runs[0].name
        assert made.recipe().train.epochs == 12


async def test_a_live_row_follows_its_run_and_nothing_else_is_drawn(
    make_app: AppFactory, runs: list[RunDirectory]
) -> None:
    status = dataclasses.replace(lasting("running"), step=20, steps=200)
    write_status(runs[3], status)
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert "▶ 10 %" in lines(app)[4]
        drawn: list[int] = []
        real = table(app).render_line
        table(app).render_line = lambda y: (drawn.append(y), real(y))[1]  # type: ignore[method-assign,func-returns-value]
        assert await at_rest(pilot, drawn)  # three looks at the folder, and nothing changed
        write_status(runs[3], dataclasses.replace(status, step=50, heartbeat=time.time()))
        await until(pilot, lambda: bool(drawn))
        assert set(drawn) == {4}
        assert "▶ 25 %" in lines(app)[4]


async def test_the_folder_is_left_alone_while_another_screen_is_in_front(
    make_app: AppFactory, runs: list[RunDirectory]
) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        lister, shown = screen(app)._lister, screen(app)
        await pilot.press("1")
        looked: list[int] = []
        lister._catalog.refresh = lambda: looked.append(1)  # type: ignore[method-assign,assignment]
        assert await at_rest(pilot, looked)
        del lister._catalog.refresh
        many_runs(Path("runs"), 1, NOW + 7200, seed=1)
        await pilot.press("4")
        await until(pilot, lambda: len(shown.browser.rows) == 16)


async def test_columns_go_by_priority(make_app: AppFactory, runs: list[RunDirectory]) -> None:
    app = make_app(now=lambda: NOW)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("4")
        await read(pilot, app)
        assert lines(app)[0].split() == ["state", "recipe", "test", "differs", "time", "age▲"]
        await pilot.press("S")
        assert lines(app)[0].split() == ["state", "recipe", "test", "differs", "time", "age▼"]
        screen(app).browser.sort_by("seed")  # that by which they are sorted has room before others
        screen(app).refresh_rows()
        assert lines(app)[0].split() == ["state", "recipe", "test", "differs", "time", "seed▲"]
        await pilot.resize_terminal(160, 48)
        await pilot.pause()
        assert {"loss", "img/s", "seed▲", "age", "tags"} <= set(lines(app)[0].split())
