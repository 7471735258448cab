"""Runs in words, and the progress of one on a terminal."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.fake_engine import started, trained
from tests.runs.helpers import environment
from workbench.commands.display import BarDisplay, Pace
from workbench.commands.reporter import Reporter
from workbench.commands.streams import Streams
from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Continued,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    Resumed,
    Stopped,
    Verdict,
)
from workbench.format import age, duration, figure, percent

NAN = float("nan")


def evaluated(step: int, split: str = "test", accuracy: float = 0.5) -> Evaluated:
    return Evaluated(step=step, epoch=step / 5, split=split, loss=1.0, accuracy=accuracy, seconds=1.0)


def told(*events: Event, name: str = "run-1") -> list[str]:
    reporter = Reporter(name)
    return [line.text for event in events for line in reporter.take(event)]


def test_two_splits_share_a_line() -> None:
    start = dataclasses.replace(started(), validation_images=10)
    saved = CheckpointSaved(step=5, file="best.pt")
    lines = told(start, trained(5), evaluated(5, "validation", 0.4), saved, evaluated(5, "test", 0.5), trained(6))
    assert lines[1:] == ["epoch 1/4  step 5  loss 0.2000  train 80.00 %  640 img/s  valid 40.00 %  test 50.00 %"]


def test_epochs_without_evaluation_have_a_line_too() -> None:
    lines = told(started(), *(trained(step) for step in (2, 4, 6, 8, 10, 12)), evaluated(12), trained(16))
    assert [line.split("  ")[:2] for line in lines[1:]] == [
        ["epoch 1/4", "step 4"],
        ["epoch 2/4", "step 10"],
        ["epoch 2.4/4", "step 12"],
        ["epoch 3/4", "step 12"],
    ]


def test_means_are_over_the_steps_since_the_last_line() -> None:
    first, second = dataclasses.replace(trained(1), loss=4.0), dataclasses.replace(trained(4), loss=0.0)
    assert "loss 1.0000" in told(started(), first, second, evaluated(5))[1]


def test_what_is_unknown_or_absurd_stays_readable() -> None:
    odd = dataclasses.replace(trained(5), loss=2.75e20, accuracy=NAN, images_per_second=0.0)
    assert told(started(), odd, evaluated(5))[1] == "epoch 1/4  step 5  loss 2.75e+20  train –  test 50.00 %"
    assert told(evaluated(5)) == ["epoch 1  step 5  test 50.00 %"]


def test_a_resumed_run_goes_on_counting() -> None:
    lines = told(started(), Resumed(step=10), trained(12), evaluated(15))
    assert lines[1:] == [
        "goes on after step 10",
        "epoch 3/4  step 15  loss 0.0833  train 80.00 %  640 img/s  test 50.00 %",
    ]


def test_every_end_says_what_to_do() -> None:
    assert told(started(), Stopped(step=7))[1] == "stopped after step 7 of 20; go on with: workbench run --resume run-1"
    assert told(Failed(error="no data")) == ["failed: no data"]
    assert told(started(), Failed(error="x"))[1] == "failed: x; then go on with: workbench run --resume run-1"
    for_good = Failed(error="a batch of one", resumable=False)
    assert told(started(), for_good)[1] == "failed: a batch of one"
    assert told(started(), Paused(step=3), Continued(step=3))[1:] == ["paused after step 3 of 20", "continues"]
    end = Finished(step=20, seconds=3700, test_loss=NAN, test_accuracy=0.5, best_validation_accuracy=0.6)
    assert told(end) == [
        "finished: test accuracy 50.00 %, loss –, best validation accuracy 60.00 %; 20 steps in 1:01:40"
    ]


def test_a_check_that_did_not_pass_gives_its_reason() -> None:
    check = CheckFinished(name="n", verdict="fail", expected="a", found="b", reason="because")
    assert told(check) == ["check n: fail: expected a, found b; because"]
    assert told(dataclasses.replace(check, advice="do it"))[0].endswith("; because; do it")


def test_checks_that_passed_are_one_line() -> None:
    check = CheckFinished(name="n", verdict="pass", expected="a", found="b", reason="because")
    assert told(check, Paused(step=1))[0] == "check n: pass: expected a, found b"
    lines = told(check, dataclasses.replace(check, name="m"), dataclasses.replace(check, name="k", verdict="warn"))
    assert lines == ["2 checks passed: n, m", "check k: warn: expected a, found b; because"]


def test_checks_that_were_not_judged_are_one_line_of_their_own() -> None:
    check = CheckFinished(name="n", verdict="pass", expected="a", found="b", reason="because")
    lacking = CheckFinished(name="s", verdict="not judged", expected="", found="", reason="it had 3 of 10 points")
    lines = told(
        check, lacking, dataclasses.replace(check, name="m"), dataclasses.replace(lacking, name="t"), trained(1)
    )
    assert lines == ["2 checks passed: n, m", "2 checks not judged: s: it had 3 of 10 points; t: it had 3 of 10 points"]
    assert told(lacking, trained(1)) == ["check s: not judged: it had 3 of 10 points"]
    found = dataclasses.replace(lacking, expected="x", found="y", advice="wait")
    assert told(found, trained(1)) == ["check s: not judged: it had 3 of 10 points; expected x, found y; wait"]


def test_the_end_names_the_checks_that_failed_at_last() -> None:
    def check(name: str, verdict: Verdict) -> CheckFinished:
        return CheckFinished(name=name, verdict=verdict, expected="a", found="b", reason="because")

    end = Finished(step=20, seconds=9, test_loss=2.3, test_accuracy=0.1)
    whole = told(
        started(), check("learning", "fail"), check("spikes", "warn"), check("fit", "fail"), check("fit", "pass"),
        check("share", "not judged"), end,
    )  # fmt: skip
    assert whole[-1].endswith("20 steps in 0:09; 1 check failed: learning; 1 check warned: spikes")
    assert told(started(), check("fit", "pass"), end)[-1].endswith("20 steps in 0:09")
    assert {line.verdict for line in Reporter("run-1").take(check("learning", "fail"))} == {"fail"}


def test_figures() -> None:
    assert (percent(0.98765), percent(None), percent(NAN)) == ("98.77 %", "–", "–")
    assert (figure(1.23456), figure(None), figure(float("inf"))) == ("1.2346", "–", "inf")
    assert [duration(s) for s in (-1, 59.6, 3661, 200_000)] == ["0:00", "1:00", "1:01:01", "2 d 07 h"]
    assert [age(s) for s in (-5, 59, 60, 7199, 7200, 86400, 172800)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h",
        "2 h",
        "24 h",
        "2 d",
    ]


def test_the_pace_is_that_of_the_last_minute() -> None:
    pace = Pace()
    assert pace.left(10) == ""
    pace.add(0.0, 0)
    assert pace.left(10) == ""
    pace.add(10.0, 1)
    assert pace.left(6) == "ETA 1:00"
    for second in range(11, 100):
        pace.add(float(second), 10 * second)
    assert pace.left(600) == "ETA 1:00"


class Gone(io.StringIO):
    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_is_gone_is_noticed_and_left_alone() -> None:
    with pytest.raises(OSError), BarDisplay(Streams(Gone(), Gone()), "run-1") as display:
        display.take(started())


@pytest.mark.parametrize(
    ("words", "found"),
    [("workbench run dig", "digits"), ("workbench techniques label", "label_smoothing"), ("workbench wat", "watch")],
)
def test_completion_knows_the_names(tmp_path: Path, words: str, found: str) -> None:
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1), "_WORKBENCH_COMPLETE": "complete_bash"}
    result = subprocess.run(
        [sys.executable, "-m", "workbench"], cwd=tmp_path, env=environment(**variables), capture_output=True, text=True
    )
    assert found in result.stdout.split(), result.stderr
    assert os.listdir(tmp_path) == []
