"""The Profile screen: measuring, trying, keeping, the run's own steps, stacks and operators."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from pathlib import Path

import psutil
import pytest
from textual.widget import Widget

from tests.tui.conftest import AppFactory
from tests.tui.fakes import CHECKS, NOW, history, phases, profiled, started, trained, written
from tests.waiting import at_rest, until, wait_for
from workbench.events import Finished, to_json
from workbench.recipe import Recipe
from workbench.runs.store.control_file import take_requests
from workbench.runs.store.directory import RunDirectory
from workbench.tui.app.commands import HelpScreen
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.screens import KeyBar
from workbench.tui.common.widgets import Line, Pane, Text
from workbench.tui.profile.screen import ProfileScreen
from workbench.tui.profile.widgets import StackView, StepBar

RUN = "20261120-142501-small-3f9c"


def text(app: Workbench, name: str) -> str:
    return app.screen.query_one(f"#{name}", Pane).text.plain if isinstance(app.screen, ProfileScreen) else ""


def verdict(app: Workbench) -> str:
    return text(app, "verdict")


def line(app: Workbench) -> str:
    return app.screen.query_one("#profile-line", Line).plain


def step(app: Workbench) -> str:
    return app.screen.query_one(StepBar).plain if isinstance(app.screen, ProfileScreen) else ""


def stacks(app: Workbench) -> StackView:
    return app.screen.query_one(StackView)


def about(recipe: Recipe, words: str) -> Recipe:
    return recipe.model_copy(update={"about": words})


async def test_before_anything_was_measured_it_says_what_it_can_do(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        assert isinstance(app.screen, ProfileScreen)
        said = app.screen.query_one("#profile-nothing", Text).plain
        assert said.startswith("p measures where the time of small goes")
        assert app.screen.query_one(KeyBar).plain.split() == ["p", "profile", "?", "help", "q", "quit"]
        assert not app.screen.query_one("#profile").display
        await pilot.press("t", "a")  # nothing to try, nothing to keep
        assert not app.profiling.busy and not app.editor.unsaved
        await pilot.press("s", "o")
        assert not app.profiling.awaited


async def test_measure_try_keep_undo(make_app: AppFactory) -> None:
    app = make_app()
    before = app.editor.recipe
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "Loader-bound. Loading limits training: 56 %" in verdict(app))
        assert "1,190 img/s  1,150–1,205" in verdict(app)
        assert "data.workers = 2, data.persistent_workers = true" in verdict(app)
        assert "t tries it; predicted 2,480 img/s (2.08×)" in " ".join(verdict(app).split())
        assert "53.8 ms a step" in step(app) and "D data wait 30.1 ms 56 %" in step(app)
        assert "color_jitter" in text(app, "parts") and "no profiler sees into workers" in text(app, "parts")
        await until(pilot, lambda: not app.profiling.busy)
        await pilot.press("a")  # not tried yet
        assert app.editor.recipe == before
        await pilot.press("t")
        await until(
            pilot,
            lambda: "1,190 → 2,166 images/s: 1.82× (median of 5 pairs, 1.75–1.90)" in verdict(app),
        )
        await until(pilot, lambda: not app.profiling.busy)
        assert "a keeps it in the recipe" in verdict(app)
        assert app.profiling.report is not None
        assert app.profiling.report.end_to_end.windows == 0, "nothing is measured anew"
        await pilot.press("a")
        assert app.editor.recipe.data.workers == 2
        assert "✓ kept" in verdict(app)
        assert not line(app).strip()
        await pilot.press("a", "1", "u")  # the second time there is nothing left to keep
        assert app.editor.recipe == before
        await pilot.press("3")
    assert app.editor.recipe == before


async def test_a_change_after_the_measurement_is_said(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "Loader-bound" in verdict(app) and not app.profiling.busy)
        app.editor.change(about(recipe, "another"))
        await pilot.press("1", "3")
        assert "small was changed since it was measured; p measures it anew" in line(app)
        await pilot.press("t")
        await until(pilot, lambda: app.profiling.trial is not None and not app.profiling.busy)
        assert app.profiling.report is not None
        assert app.profiling.report.end_to_end.windows > 0, "the report was about another recipe"


async def test_what_is_wrong_is_one_line(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(recipe=about(recipe, "refuse"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "workbench data get cifar10" in line(app))
        assert "warning" not in line(app)
        app.editor.change(recipe.without_technique("sgd"))
        await pilot.press("p")
        assert "optimizer" in line(app) and not app.profiling.busy


async def test_a_program_that_is_not_there(make_app: AppFactory) -> None:
    app = make_app(profile_command=["/nowhere/workbench"])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "cannot be started" in line(app))


def pid_of(app: Workbench) -> int:
    assert app.profiling.progress is not None
    return int(app.profiling.progress.message.rpartition(" ")[2])


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_measurement_ends_when_it_is_told_to(
    make_app: AppFactory, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    app = make_app(recipe=about(recipe, "slow"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "pid" in line(app))
        pid = pid_of(app)
        assert not list(Path(tempfile.gettempdir()).glob("workbench-*.toml"))  # also should we be killed now
        assert re.search(r"about \d+:\d\d left", line(app))
        assert "So far" in verdict(app) and "batches alone" in verdict(app) and "1,190 img/s" in verdict(app)
        assert "esc ends it" in verdict(app)
        await pilot.press("p", "t")  # one at a time
        assert pid_of(app) == pid
        await pilot.press("escape")
        assert not app.profiling.busy
        await until(pilot, lambda: gone(pid))
        await pilot.pause(0.2)
        assert not line(app).strip()  # its end is no error


async def test_a_measurement_ends_with_the_app(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(recipe=about(recipe, "slow"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "pid" in line(app))
        pid = pid_of(app)
        await pilot.press("q")
    wait_for(lambda: gone(pid))


async def test_a_measurement_that_is_killed_says_so(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(recipe=about(recipe, "slow"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "pid" in line(app))
        os.kill(pid_of(app), signal.SIGKILL)
        await until(pilot, lambda: "ended with code -9" in line(app))


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe) -> RunDirectory:
    return written(tmp_path / "runs" / RUN, recipe, history(until=50))


async def test_the_run_on_screen_is_measured_while_the_screen_shows_it(make_app: AppFactory, run: RunDirectory) -> None:
    clock = [NOW]
    app = make_app(watch=run, now=lambda: clock[0], poll=0.05)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.tracked is not None and app.tracked.view.step == 50)
        assert take_requests(run) == []
        await pilot.press("3")
        await until(pilot, lambda: take_requests(run) == ["profile"])
        assert "its steps are measured in a moment" in step(app)
        with run.events_file.open("a") as file:
            file.write(to_json(trained(60)) + "\n" + to_json(phases(60)) + "\n")
        await until(pilot, lambda: "212 ms a step" in step(app))
        assert "Run small 3f9c live" in step(app) and "12 steps (1 in 16), cost 0.3 %" in step(app)
        assert "? unexplained 4.1 ms 1.9 %" in step(app)
        assert take_requests(run) == []
        clock[0] += 20
        await until(pilot, lambda: take_requests(run) == ["profile"])
        await pilot.press("1")
        clock[0] += 20
        await pilot.pause(0.3)
        assert take_requests(run) == []  # nobody looks: it ends by itself


async def test_a_run_that_ended_is_not_asked(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    end = Finished(time=NOW, step=230, seconds=9, test_loss=0.1, test_accuracy=0.9)
    done = written(tmp_path / "runs" / RUN, recipe, [started(), *CHECKS, trained(10), phases(10), end], "finished")
    app = make_app(watch=done)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.tracked is not None and app.tracked.state == "finished")
        await pilot.press("3")
        assert "Run small 3f9c finished" in step(app) and "212 ms a step" in step(app)
        await pilot.press("s", "o")
        assert "r in Compose trains the recipe" in text(app, "operators")
        assert take_requests(done) == []


async def test_the_recipes_step_or_the_runs(make_app: AppFactory, run: RunDirectory) -> None:
    with run.events_file.open("a") as file:
        file.write(to_json(phases(60)) + "\n")
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "212 ms a step" in step(app))
        await pilot.press("p")
        await until(pilot, lambda: "Recipe small  53.8 ms a step" in step(app) and not app.profiling.busy)
        assert f"measured while {RUN} trained on this machine" in line(app)
        await pilot.press("x")
        assert "Run small 3f9c" in step(app)
        await pilot.press("x")
        assert "Recipe small" in step(app)
        app.track(written(run.path.with_name(RUN[:-4] + "aaaa"), app.editor.recipe, history(until=50)))
        await until(pilot, lambda: "Run small aaaa live" in step(app))  # a new run shows itself


async def test_stacks_and_operators_of_the_run(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, poll=0.05)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: take_requests(run) == ["profile"])
        await pilot.press("s")
        await until(pilot, lambda: take_requests(run) == ["stacks"])
        assert "stacks are being sampled; a trace can be asked for when they are here" in line(app)
        await pilot.press("o", "s")  # each would measure the other
        await pilot.pause(0.2)
        assert take_requests(run) == [] and list(app.profiling.awaited) == ["stacks"]
        profiled(run)
        await until(pilot, lambda: not line(app).strip())
        await pilot.press("o")
        await until(pilot, lambda: take_requests(run) == ["trace"])
        assert "Steps of the run are being traced" in line(app)
        os.utime(run.profile / "operators.json")
        await until(pilot, lambda: "convolution_backward" in text(app, "operators"))
        await until(pilot, lambda: not line(app).strip())
        assert "49.9 %     62.0 ms      9  convolution_backward" in text(app, "operators")
        assert [row.frame.name for row in stacks(app).rows[:4]] == ["train", "compute", "Build.forward", "Net.forward"]


async def test_folding_and_all_code(make_app: AppFactory, run: RunDirectory) -> None:
    profiled(run)
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "v")
        await until(pilot, lambda: len(stacks(app).rows) > 0)
        view = stacks(app)
        count = len(view.rows)
        await pilot.press("j", "space")  # compute
        assert view.row is not None and (view.row.frame.name, view.row.open) == ("compute", False)
        assert len(view.rows) < count
        await pilot.press("right")
        assert len(view.rows) == count
        await pilot.press("j", "j", "left")  # folds Net.forward
        await pilot.press("left")  # up to Build.forward
        assert view.row.frame.name == "Build.forward"
        folded = len(view.rows)
        await pilot.press("c")
        assert any(row.frame.name.endswith("_call_impl") for row in view.rows)
        await pilot.press("c")
        assert len(view.rows) == folded  # what was folded stays folded
        await pilot.click(StackView, offset=(30, 1))
        assert view.cursor == 0
        await pilot.press("G", "g", "pagedown", "up")


async def test_the_view_and_the_filter_are_remembered(make_app: AppFactory, run: RunDirectory) -> None:
    profiled(run)
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: len(stacks(app).rows) > 0)
        await pilot.press("c", "v")
        remembered = app.layout["profile"]
    assert remembered == {"view": "operators", "own_code": False}
    again = make_app()
    again.layout["profile"] = remembered
    async with again.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        assert isinstance(again.screen, ProfileScreen)
        assert (again.screen.view, again.screen.own_code) == ("operators", False)


async def test_an_idle_profile_screen_draws_nothing(
    make_app: AppFactory, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiled(run)
    with run.events_file.open("a") as file:
        file.write(to_json(phases(60)) + "\n")
    app = make_app(watch=run, now=lambda: NOW)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("3", "p")
        await until(pilot, lambda: "Loader-bound" in verdict(app) and not app.profiling.busy)
        await until(pilot, lambda: len(stacks(app).rows) > 0)
        drawn: list[str] = []
        refresh = Widget.refresh

        def counted(self: Widget, *arguments: object, **keywords: object) -> Widget:
            drawn.append(repr(self))
            return refresh(self, *arguments, **keywords)  # type: ignore[arg-type]

        monkeypatch.setattr(Widget, "refresh", counted)
        assert await at_rest(pilot, drawn), set(drawn)


async def test_its_keys_are_in_the_help(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        assert max(len(line) for line in stacks(app)._nothing.split("\n")) <= 76
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape", "v", "ctrl+d", "ctrl+u")


async def test_at_160_columns_all_panes_are_in_sight(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert all(app.screen.query_one(f"#{name}").display for name in ("verdict", "stacks", "operators", "parts"))
        assert app.screen.query_one("#parts").border_title == "Parts"
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await until(pilot, lambda: "Operators" in str(app.screen.query_one("#verdict").border_title))
        shown = [
            name for name in ("verdict", "stacks", "operators", "parts") if app.screen.query_one(f"#{name}").display
        ]
        assert shown == ["verdict"]
