"""The Run screen: our own runs and those of other processes."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widget import Widget

from tests.tui.conftest import AppFactory
from tests.tui.fakes import CHECKS, NOW, FakeTraining, history, started, trained, written
from tests.waiting import GIVE_UP, at_rest, until
from workbench.events import Diverged, Event, Finished, Noted, Stopped, to_json
from workbench.recipe import Recipe
from workbench.runs.store.control_file import take_requests
from workbench.runs.store.status import Stage, read_status, write_status
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.screens import ConfirmScreen, KeyBar
from workbench.tui.common.widgets import Pane, Text
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.run.charts import RunCharts
from workbench.tui.run.panes import Bar, RunLog
from workbench.tui.run.screen import RunScreen


def head(app: Workbench) -> str:
    names = ("run-state", "run-pace", "run-advice")  # a screen that was just opened may have none of them yet
    return " ".join(text.plain for name in names for text in app.screen.query(f"#{name}").results(Text))


async def test_a_run_from_compose_to_the_end(make_app: AppFactory, tmp_path: Path) -> None:
    training = FakeTraining()
    app = make_app(execute=training)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        said = app.screen.query_one("#nothing", Text).plain
        assert "r  trains small, the recipe of Compose" in said and "4  lists the runs" in said
        assert app.screen.query_one(KeyBar).plain.split() == ["r", "run", "?", "help", "q", "quit"]
        await pilot.press("p", "s", "c", "f", "y")  # nothing to act on
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "finished" in head(app))
        assert "98.61 %" in head(app) and "step 230 of 230" in head(app)
        assert app.screen.query_one(Bar).fraction == 1
        assert "train" in app.screen.query_one(RunCharts).charts[0].words
        await until(pilot, lambda: bool(app.screen.query_one(RunCharts).charts[0].text))  # once they have their room
        checks = app.screen.query_one("#checks", Pane).text.plain
        assert checks.startswith("! initial loss")  # bad ones first
        assert "ln 10" in checks
    (call,) = training.calls
    assert call["device"] == "cpu"
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.endswith(call["run"].name[-4:])  # type: ignore[attr-defined]


async def test_a_run_that_ends_before_the_screens_hear_of_its_beginning_is_shown_too(make_app: AppFactory) -> None:
    app = make_app(execute=FakeTraining())
    async with app.run_test(size=(80, 24)) as pilot:
        app.start_run()
        assert app.training is not None
        app.training.join()  # the event loop stands still meanwhile
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "finished" in head(app))


async def test_asking_our_own_run(make_app: AppFactory) -> None:
    hold = threading.Event()
    app = make_app(execute=FakeTraining(hold=hold))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("1", "r")  # one run at a time
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("escape", "2", "p")
        await until(pilot, lambda: "paused" in head(app))
        await pilot.press("p")
        await until(pilot, lambda: "running" in head(app))
        await pilot.press("c")
        await until(pilot, lambda: app.tracked is not None and app.tracked.view.checkpoints == 1)
        await pilot.press("s")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert "running" in head(app)
        await pilot.press("s", "up", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "stopped" in head(app))
        assert "workbench run --resume" in head(app)
        await pilot.press("p")  # nobody there: nothing happens


async def test_watching_and_asking_a_run_of_another_process(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    run = written(tmp_path / "runs" / "other", recipe, history(until=50))
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        assert isinstance(app.screen, RunScreen)
        await until(pilot, lambda: "step 50 of 230" in head(app))
        with run.events_file.open("a") as file:
            file.write(to_json(trained(60)) + "\n")
        await until(pilot, lambda: "step 60 of 230" in head(app))
        await pilot.press("p")
        await until(pilot, lambda: take_requests(run) == ["pause"])
        assert "pausing" in head(app)
        await pilot.press("s", "up", "enter")
        await until(pilot, lambda: take_requests(run) == ["stop"])
        await pilot.press("1")
        assert isinstance(app.screen, ComposeScreen)


async def test_another_width_wraps_the_log_anew(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    events = [started(), Noted(time=NOW, message="words " * 20)]
    app = make_app(watch=written(tmp_path / "runs" / "noted", recipe, events))
    async with app.run_test(size=(160, 48)) as pilot:
        log = app.screen.query_one(RunLog)
        await until(pilot, lambda: len(log.lines) > 1)
        for width, height in ((80, 24), (160, 48)):
            await pilot.resize_terminal(width, height)
            room = log.scrollable_content_region.width
            longest = max(len(line.text.rstrip()) for line in log.lines)
            assert room - len("words ") < longest <= room


async def test_losses_that_are_not_finite_do_not_break_the_charts(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    reason = "the loss was nan from step 40 on"
    events: list[Event] = [
        started(), *CHECKS, trained(10), trained(20, loss=math.inf), trained(30, loss=math.nan, accuracy=math.nan),
        Diverged(time=NOW, step=40, what="loss", layer="block3.0", indices=(5,), reason=reason),
    ]  # fmt: skip
    app = make_app(watch=written(tmp_path / "runs" / "bad", recipe, events, "diverged"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "diverged" in head(app))
        assert reason in head(app) and "gradient_clipping" in head(app)
        await pilot.press("l")
        await pilot.pause()
        assert app.screen.query_one(RunCharts).charts[0].text


async def test_a_training_that_breaks_says_so(make_app: AppFactory) -> None:
    def broken(run: object, **keywords: object) -> str:
        raise RuntimeError("no such kernel")

    app = make_app(execute=broken)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: any("no such kernel" in n.message for n in app._notifications))


async def test_an_idle_run_screen_draws_nothing(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Finished(time=NOW, step=230, seconds=9, test_loss=0.1, test_accuracy=0.9)
    app = make_app(watch=written(tmp_path / "runs" / "done", recipe, [*history(230), end], "finished"), now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "finished" in head(app))
        drawn: list[str] = []
        refresh = Widget.refresh

        def counted(self: Widget, *arguments: object, **keywords: object) -> Widget:
            drawn.append(repr(self))
            return refresh(self, *arguments, **keywords)  # type: ignore[arg-type]

        monkeypatch.setattr(Widget, "refresh", counted)
        assert await at_rest(pilot, drawn), set(drawn)


async def test_charts_are_drawn_only_where_they_can_be_seen(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    run = written(tmp_path / "runs" / "other", recipe, history(until=50))
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "step 50" in head(app))
        chart = app.screen.query_one(RunCharts).charts[0]
        await until(pilot, lambda: chart.text.strip() != "")
        before = chart.text
        await pilot.press("1")
        with run.events_file.open("a") as file:
            file.write("".join(to_json(trained(step)) + "\n" for step in range(60, 120, 10)))
        await until(pilot, lambda: app.tracked is not None and app.tracked.view.step == 110)
        await pilot.pause(0.5)
        assert chart.text == before
        await pilot.press("2")
        await until(pilot, lambda: chart.text != before)


async def test_leaving_without_a_run_is_immediate(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
        await pilot.pause()
    assert app.return_value == ""


async def test_leaving_asks_about_unsaved_changes(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.editor.change(recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 3.0})}))
        await pilot.press("q")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("escape")
        await pilot.press("q", "down", "enter")
        await pilot.pause()
    assert app.return_value == ""


@pytest.mark.parametrize(("keys", "outcome"), [(["up", "enter"], "stop"), (["enter"], "background")])
async def test_leaving_while_training_stops_at_a_checkpoint(
    make_app: AppFactory, keys: list[str], outcome: str
) -> None:
    app = make_app(execute=FakeTraining(hold=threading.Event()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "running" in head(app))
        await pilot.press("q", "escape")
        assert app.training is not None and app.training.alive
        await pilot.press("q", *keys)
        await until(pilot, lambda: app._exit)
    assert app.return_value == outcome
    assert app.training is not None and app.training.state == "stopped"


async def test_leaving_never_hangs(make_app: AppFactory) -> None:
    release = threading.Event()

    def deaf(run: object, **keywords: object) -> str:
        release.wait(2 * GIVE_UP)
        return "stopped"

    app = make_app(execute=deaf)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("q", "up", "enter")
        await pilot.press("enter")  # wait a little
        await pilot.press("q", "up", "enter")  # enough
        await until(pilot, lambda: app._exit)
    assert app.return_value == "abandon"
    release.set()


def test_elapsed_counts_from_the_start_of_the_process_before_there_are_events(tmp_path: Path, recipe: Recipe) -> None:
    from workbench.runs.store.status import new_status
    from workbench.tui.run.tracking import Tracked

    tracked = Tracked(written(tmp_path / "run", recipe, []))
    tracked.status = replace(new_status("running"), started=NOW - 7)
    assert tracked.elapsed(NOW) == 7


async def test_a_run_that_stopped_goes_on_where_one_reads_that_it_can(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    stopped = Stopped(time=NOW, step=50)
    run = written(tmp_path / "runs" / "other", recipe, [*history(until=50), stopped], state="stopped")
    training = FakeTraining(hold=threading.Event())
    app = make_app(watch=run, execute=training)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Go on with: c, or workbench run --resume other" in head(app))
        keys = app.screen.query_one(KeyBar)
        assert "c continue" in keys.plain and "checkpoint" not in keys.plain
        await pilot.press("c")
        await until(pilot, lambda: "running" in head(app))
        assert "c checkpoint" in keys.plain and "continue" not in keys.plain
        (call,) = training.calls
        assert (call["run"], call["resume"]) == (run, True)
        assert training.hold is not None
        training.hold.set()
        await until(pilot, lambda: "finished" in head(app))
        assert "continue" not in keys.plain  # nothing of it is left to be done


async def test_while_a_run_loads_there_are_its_stages_and_no_empty_charts(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    run = written(tmp_path / "runs" / "other", recipe, [started()])
    status = read_status(run)
    assert status is not None
    write_status(run, replace(status, stages=(Stage("data", NOW - 3), Stage("checks", NOW - 2))))
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "checking the recipe…" in head(app))
        assert "reading the images" in app.screen.query_one("#loading", Text).plain
        assert not app.screen.query_one(RunCharts).display
        await pilot.press("f", "plus", "x")  # nothing to zoom: nothing happens
        with run.events_file.open("a") as file:
            file.write(to_json(trained(5)) + "\n")
        await until(pilot, lambda: app.screen.query_one(RunCharts).display)
        assert not app.screen.query_one("#loading").display
