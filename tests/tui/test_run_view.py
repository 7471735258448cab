"""What a screen knows of a run: folded from events, followed through the directory."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.helpers import lasting
from tests.tui.fakes import NOW, evaluated, history, started, trained, written
from workbench.events import (
    CheckFinished,
    Diverged,
    Event,
    Failed,
    Finished,
    Noted,
    Paused,
    Resumed,
    Stopped,
    Verdict,
    to_json,
)
from workbench.format import duration
from workbench.recipe import Recipe
from workbench.runs.store.machine import Sample
from workbench.runs.store.status import Stage, after, write_status
from workbench.tui.charts.viewport import Viewport
from workbench.tui.common.words import place
from workbench.tui.run.follower import Follower
from workbench.tui.run.panes import at_work, axis, loading, pace_line
from workbench.tui.run.tracking import Tracked
from workbench.tui.run.view import RunView


def test_progress_pace_and_time_left() -> None:
    view = RunView()
    view.feed(history(until=150))
    assert (view.step, view.steps, view.steps_per_epoch) == (150, 230, 23)
    assert view.fraction == pytest.approx(150 / 230)
    assert view.remaining(NOW - 70) == pytest.approx(80 / 5, abs=0.5)
    assert view.elapsed(NOW - 70) == 30
    view.feed([Paused(time=NOW - 60, step=150)])
    assert math.isnan(view.remaining(NOW))


def test_the_end_stops_the_clock() -> None:
    view = RunView()
    view.feed([*history(until=230), Finished(time=NOW - 50, step=230, seconds=40, test_loss=0.1, test_accuracy=0.97)])
    assert view.fraction == 1
    assert view.elapsed(NOW + 1000) == 50
    assert view.log[-1].text == "finished: test accuracy 97.00 %, loss 0.1000; 230 steps in 0:40"


def test_losses_that_are_not_finite_are_gaps() -> None:
    view = RunView()
    view.feed([started(), trained(5), trained(10, loss=math.nan), trained(15, loss=math.inf), trained(20)])
    assert math.isfinite(view.loss.latest())
    assert sum(math.isnan(v) for v in view.loss.values) == 2


def test_mixed_targets_have_no_train_accuracy() -> None:
    view = RunView()
    view.feed([started(), trained(5, accuracy=math.nan), trained(10, accuracy=math.nan)])
    assert math.isnan(view.accuracy.latest())


def test_following_reads_only_what_is_new(tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "run", recipe, history(until=50))
    run.log_file.write_text("a warning\nhalf a li")
    tracked = Tracked(run)
    tracked._follower.poll()
    assert tracked.drain()
    assert tracked.view.step == 50
    assert [line.text for line in tracked.view.log if line.level == "quiet"][-1] == "a warning"

    tracked._follower.poll()
    assert not tracked.drain()

    with run.events_file.open("a") as file:
        file.write(to_json(trained(55)) + "\n" + to_json(trained(60))[:20])
    with run.log_file.open("a") as file:
        file.write("ne\n")
    tracked._follower.poll()
    assert tracked.drain()
    assert tracked.view.step == 55
    assert tracked.view.log[-1].text == "half a line"


def test_a_resumed_run_withdraws_what_came_after_its_checkpoint(tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "run", recipe, [*history(until=100)])
    tracked = Tracked(run)
    tracked._follower.poll()
    tracked.drain()
    assert len(tracked.view.evaluated["test"]) == 4

    later: list[Event] = [started(), Resumed(time=NOW, step=60), trained(65), evaluated(75)]
    with run.events_file.open("a") as file:
        file.write("".join(to_json(event) + "\n" for event in later))
    tracked._follower.poll()
    tracked.drain()
    assert [e.step for e in tracked.view.evaluated["test"]] == [25, 50, 75]
    assert tracked.view.step == 65

    follower = Follower(run)
    follower.poll()
    (reading,) = follower.take()
    assert reading.fresh is not None
    view = reading.fresh
    assert [e.step for e in view.evaluated["test"]] == [25, 50, 75]


@pytest.mark.parametrize(
    ("event", "state", "words"),
    [
        (
            Diverged(step=40, what="loss", layer="block2.0", indices=(1,), reason="the output of 'block2.0' is nan"),
            "diverged",
            ("block2.0", "gradient_clipping"),
        ),
        (
            Diverged(step=40, what="loss scale", layer="", indices=(), reason="20 steps were skipped"),
            "diverged",
            ("20 steps were skipped", "bf16"),
        ),
        (Failed(error="out of memory at data.batch_size = 512"), "failed", ("out of memory", "Compose (1)")),
        (Failed(error="the disk is full"), "failed", ("disk", "Compose (1)", "go on with", "--resume run")),
        (Stopped(step=40), "stopped", ("workbench run --resume run",)),
        (Noted(message="x"), "lost", ("process", "gone", "--resume")),
    ],
)
def test_a_run_that_stands_still_says_why_and_what_to_do(
    tmp_path: Path, recipe: Recipe, event: Event, state: str, words: tuple[str, ...]
) -> None:
    tracked = Tracked(written(tmp_path / "run", recipe, [*history(until=40), event], state))
    tracked._follower.poll()
    tracked.drain()
    assert tracked.state == state
    text = " ".join(tracked.advice(NOW))
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    "ends",
    [
        [*history(until=40), Failed(error="a batch of one image", resumable=False)],
        [Failed(error="no such data set")],
        [*history(until=40), Diverged(step=40, what="loss", layer="", indices=(), reason="it is nan")],
    ],
)
def test_what_would_fail_again_is_not_advised_to_go_on(tmp_path: Path, recipe: Recipe, ends: list[Event]) -> None:
    state = "diverged" if isinstance(ends[-1], Diverged) else "failed"
    tracked = Tracked(written(tmp_path / "run", recipe, ends, state))
    tracked._follower.poll()
    tracked.drain()
    text = " ".join(tracked.advice(NOW))
    assert "Compose (1)" in text and "resume" not in text and "c in Runs" not in text


def judged(name: str, verdict: Verdict) -> CheckFinished:
    return CheckFinished(
        time=NOW, name=name, verdict=verdict, expected="a", found="b", reason="it diverged", advice="lower the rate"
    )


@pytest.mark.parametrize("ended", [True, False])
def test_a_check_of_the_training_that_fails_is_said_above_the_charts(
    tmp_path: Path, recipe: Recipe, ended: bool
) -> None:
    end: list[Event] = [Finished(time=NOW, step=230, seconds=40, test_loss=9.0, test_accuracy=0.1)] if ended else []
    before, during = judged("parameters", "fail"), judged("learning", "fail")
    for events, shown in (
        ([started(), before, *history(40)[3:], *end], ("", "")),  # one from before the run is among the checks
        ([*history(40), during, *end], ("learning failed: it diverged.", "Lower the rate.")),
        ([*history(40), during, judged("learning", "pass"), *end], ("", "")),
    ):
        tracked = Tracked(written(tmp_path / "run", recipe, events, "finished" if ended else "running"))
        tracked._follower.poll()
        tracked.drain()
        assert tracked.advice(NOW) == shown


def test_a_fit_of_guesses_is_not_judged() -> None:
    view = RunView()
    view.feed([started(), *(trained(step, loss=2.3, accuracy=0.11) for step in range(5, 100, 5))])
    view.feed([replace(evaluated(95), accuracy=0.13)])
    fit = view.fit()
    assert fit is not None and fit.verdict == "not judged" and "guessing" in fit.advice
    view.feed([judged("fit", "not judged")])
    fit = view.fit()
    assert fit is not None and fit.verdict == "not judged"


@pytest.mark.parametrize(
    ("seconds", "words"), [(7, "0:07"), (750, "12:30"), (11_100, "3:05:00"), (354_000, "4 d 02 h"), (math.nan, "–")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_places_are_short_and_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert place(Path("runs"), 20) == "./runs"
    assert place(tmp_path / "runs", 20) == "./runs"
    assert place(tmp_path / "home" / "data", 20) == "./home/data"
    assert place(Path("/somewhere/far/away/from/here"), 12) == "…y/from/here"


def test_a_run_that_loads_says_what_it_does_and_for_how_long(tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "20260101-000000-x-0000", recipe, [])
    done = tuple(
        Stage(name, NOW - 10 + at) for name, at in (("process", 0.0), ("torch", 0.5), ("data", 2.5), ("network", 2.75))
    )
    write_status(run, replace(lasting("running"), started=NOW - 10, stages=done))
    tracked = Tracked(run)
    assert loading(tracked, NOW).plain == ""  # not read yet
    tracked._follower.poll()
    tracked.drain()
    assert tracked.loads and at_work(tracked) == "building the network"
    lines = [line.split("  ") for line in loading(tracked, NOW).plain.splitlines() if line[:1] in "✓●·✗" and line]
    assert [(cells[0], cells[-1].strip()) for cells in lines] == [
        ("✓ starting a process", "0.5 s"),
        ("✓ loading torch", "2.0 s"),
        ("✓ reading the images", "0.2 s"),
        ("● building the network", "7.2 s"),
        ("· choosing the number of threads", "· choosing the number of threads"),
        ("· checking the recipe", "· checking the recipe"),
        ("· first steps", "· first steps"),
    ]
    write_status(run, after(after(replace(lasting("running"), stages=done), started()), trained(5)))
    run.events_file.write_text("".join(to_json(event) + "\n" for event in (started(), trained(5))))
    tracked._follower.poll()
    tracked.drain()
    assert not tracked.loads and at_work(tracked) == ""


def test_a_run_that_fails_while_it_loads_shows_where(tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "20260101-000000-x-0000", recipe, [Failed(time=NOW, error="no such file")])
    stages = (Stage("torch", NOW - 3), Stage("data", NOW - 1))
    write_status(run, replace(lasting("failed"), heartbeat=NOW, stages=stages))
    tracked = Tracked(run)
    tracked._follower.poll()
    tracked.drain()
    text = loading(tracked, NOW + 100).plain
    assert re.search(r"✗ reading the images +1\.0 s", text) and "first steps" not in text
    assert not tracked.can_go_on(NOW)  # it never had a step


def test_the_best_accuracy_so_far_is_said_beside_the_newest(tmp_path: Path, recipe: Recipe) -> None:
    tracked = Tracked(written(tmp_path / "20260101-000000-x-0000", recipe, []))
    tracked.view.feed([started(), trained(23), replace(evaluated(23), accuracy=0.91)])
    assert "test 91.00 %, the best so far" in pace_line(tracked, NOW).plain
    tracked.view.feed([replace(evaluated(46), accuracy=0.9)])
    assert "test 90.00 %, best 91.00 % in epoch 1 " in pace_line(tracked, NOW).plain
    tracked.view.feed([replace(evaluated(46), split="validation", accuracy=0.8)])  # by which a best one is chosen
    assert "validation 80.00 %, the best so far" in pace_line(tracked, NOW).plain


def test_what_slows_the_gpu_down_is_said_before_its_other_figures() -> None:
    sample = Sample(
        NOW, 0, 1.0, 0, gpu_power=412.5, gpu_clock=1755, gpu_temperature=61, gpu_slowed=("power cap reached",)
    )
    cursor, viewport = "step 150 · epoch 6.52 · 0:19", Viewport(_window=(5.0, 10.0))
    wide = axis(viewport, cursor, sample, "other", 160).plain
    assert "zoomed" in wide and "412 W 1,755 MHz 61 °C ! power cap reached" in wide and wide.endswith("behind: other")
    assert axis(viewport, cursor, sample, "", 78).plain == f"at {cursor}   zoomed   GPU ! power cap reached"
    assert axis(viewport, cursor, sample, "", 60).plain == f"at {cursor}   GPU ! power cap reached"
    assert axis(viewport, cursor, replace(sample, gpu_slowed=()), "", 78).plain.endswith("412 W 1,755 MHz 61 °C")
    assert axis(viewport, cursor, sample, "a-long-name-of-a-run", 78).plain.endswith("…")
