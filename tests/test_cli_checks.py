"""The commands about checks, with the real engine: what they print, and their exit codes."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from tests.runs.helpers import Command, invoke
from workbench.commands.check import overfit_chart, range_chart
from workbench.evaluation.results import Mistake, Results, write_results
from workbench.recipe.registries import CHECKS
from workbench.runs.store.directory import RunDirectory

PLUGIN = """
from workbench.checks.base import Check, Result


class SeedIsOdd(Check):
    \"\"\"The seed must be odd.\"\"\"

    name = "seed_is_odd"
    title = "odd seed"
    when = "before"

    def examine(self, build):
        seed = build.recipe.seed
        return Result("pass" if seed % 2 else "fail", "odd", str(seed), "even seeds bring bad luck", "take another")
"""


@pytest.fixture
def workbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], digits_recipe: str
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_RUNS", raising=False)
    Path("small.toml").write_text(digits_recipe)
    return lambda *arguments: invoke(capsys, *arguments)


def test_a_failed_check_exits_with_3_and_says_what_to_do(workbench: Command) -> None:
    assert workbench("check", "small.toml", "--device", "cpu").code == 0
    result = workbench("check", "small.toml", "--device", "cpu", "--set", "expect.parameters=5")
    assert result.code == 3
    assert "check parameters (parameter_count): fail" in result.out and "take expect.parameters out" in result.out
    off = ("--set", "checks.parameter_count=off")
    assert workbench("check", "small.toml", "--device", "cpu", "--set", "expect.parameters=5", *off).code == 0


def test_a_missing_data_set_is_one_failed_item(workbench: Command) -> None:
    result = workbench("check", "deeper-cnn-c100", "--device", "cpu", "--data-root", "nowhere", "--json")
    found = json.loads(result.out)
    assert (result.code, result.err) == (3, "")
    assert [c["name"] for c in found["checks"] if c["verdict"] == "fail"] == ["data"] and found["parameters"] > 7e6
    text = workbench("check", "deeper-cnn-c100", "--device", "cpu", "--data-root", "nowhere")
    assert text.code == 3 and f"parameters     {found['parameters']:,}" in text.out
    assert "check data: fail: expected the data set 'cifar100', found none that can be read; cifar100: " in text.out
    nothing = workbench("check", "small.toml", "--set", "data.source=folder", "--set", "data.path=nowhere")
    assert nothing.code == 3 and "check data: fail" in nothing.out and "initial loss" not in nothing.out


@pytest.mark.slow
def test_one_check_alone_and_the_range_test(workbench: Command) -> None:
    found = json.loads(
        workbench("check", "small.toml", "--device", "cpu", "--only", "overfit_batch", "--range-test", "--json").out
    )
    assert [check["name"] for check in found["checks"]] == ["one batch by heart", "learning rate range"]
    tested = found["figures"]["learning_rate_range"]
    rates = [rate for rate, _ in tested["points"]]
    assert rates == sorted(rates) and rates[0] < tested["suggestion"] < rates[-1]
    out = workbench("check", "small.toml", "--device", "cpu", "--range-test").out
    assert f"try {tested['suggestion']:.2g}" in out and "┊" in out


def test_the_overfit_test_draws_its_losses(workbench: Command) -> None:
    arguments = ("check", "small.toml", "--device", "cpu", "--only", "overfit_batch")
    learned = json.loads(workbench(*arguments, "--json").out)["figures"]["overfit_batch"]
    assert learned["losses"][0] > 1 > learned["goal"] > learned["losses"][-1]
    chart = overfit_chart(learned["losses"], learned["goal"])
    assert workbench(*arguments).out.endswith("\n".join(["", *chart, ""]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "overfit_bach"), "did you mean 'overfit_batch'?"),
        (("--only", "loss_spikes"), "is made during a run"),
        (("--all", "--range-test"), "leave out"),
    ],
)
def test_what_cannot_be_meant(workbench: Command, arguments: tuple[str, ...], words: str) -> None:
    result = workbench("check", "small.toml", *arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert words in result.err


def test_the_cards(workbench: Command) -> None:
    out = workbench("checks").out
    assert all(name in out for name in CHECKS.names())
    spec = workbench("checks", "loss_spikes").out
    assert "factor" in spec and "during" in spec
    assert workbench("checks", "one batch by heart").out == workbench("checks", "overfit_batch").out
    (found,) = [c for c in json.loads(workbench("checks", "--json").out) if c["name"] == "overfit_batch"]
    assert found["asked_for"] and found["when"] == "before"
    assert "did you mean 'loss_spikes'" in workbench("checks", "loss_spike").err


def test_a_run_with_and_without(workbench: Command) -> None:
    assert workbench("run", "small.toml", "--device", "cpu", "--json", "--no-checks").out.count("check_finished") == 0
    run = RunDirectory(next(Path("runs").iterdir()))
    assert run.results_file.exists()
    out = workbench("run", "small.toml", "--device", "cpu").out
    assert "checks passed: input statistics, initial loss" in out


def test_the_curves_of_a_run(workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workbench("run", "small.toml", "--device", "cpu", "--no-checks").code == 0
    shown = workbench("show", "last").out
    title = next(line for line in shown.splitlines() if line.startswith("Loss"))
    assert "━ train" in title and "◆ test" in title and "\x1b" not in shown
    chart = shown[shown.index("Loss") : shown.index("Accuracy")]
    assert len(re.findall("[\u2801-\u28ff]", chart)) > 20 and "┤" in chart and "epochs" in chart
    assert all(len(line) <= 80 for line in chart.splitlines())
    monkeypatch.setattr("workbench.commands.curves.on_terminal", lambda: True)
    monkeypatch.setattr("workbench.commands.curves.terminal_width", lambda: 40)
    narrow = workbench("show", "last").out
    assert max(map(len, narrow[narrow.index("Loss") : narrow.index("Accuracy")].splitlines())) <= 40
    Path("runs/20261121-100000-small-0000").mkdir()
    assert "Loss" not in workbench("show", "20261121-100000").out


def test_a_check_of_ones_own(workbench: Command) -> None:
    Path("odd.py").write_text(PLUGIN)
    try:
        result = workbench("check", "small.toml", "--device", "cpu", "--plugin", "odd.py", "--set", "seed=2")
        assert result.code == 3
        said = "check odd seed (seed_is_odd): fail: expected odd, found 2; even seeds bring bad luck"
        assert f"{said}; take another" in result.out
        only = ("--only", "seed_is_odd", "--set", "checks.seed_is_odd.enabled=true")
        assert workbench("check", "small.toml", "--device", "cpu", "--seed", "3", *only).code == 0
    finally:
        CHECKS._specs.pop("seed_is_odd", None)


def test_the_last_evaluation_in_words(workbench: Command) -> None:
    assert workbench("show", "last", "--confusion").code == 2
    run = RunDirectory(Path("runs") / "20261121-100000-small-0000")
    run.path.mkdir(parents=True)
    run.recipe_file.write_text(Path("small.toml").read_text())
    missing = workbench("show", "last", "--mistakes")
    assert (missing.code, missing.err.count("\n")) == (1, 1) and "has no evaluation.json" in missing.err
    pixels = bytes(range(2 * 2 * 3))
    results = Results("test", 7, 0.5, 0.8, ("cat", "dog"), ((3, 1), (0, 1)), 2, 2, (Mistake(4, 0, 1, 0.93, pixels),))
    write_results(run.results_file, results)
    matrix = workbench("show", "last", "--confusion").out.splitlines()
    assert matrix[0] == "test accuracy 80.00 % of 5 images after step 7"
    assert matrix[2].split() == ["cat", "75.00", "%", "3", "1"]
    assert workbench("show", "last", "--mistakes").out.splitlines()[1].split() == ["4", "cat", "dog", "93.00", "%"]
    plain = json.loads(workbench("show", "last", "--mistakes", "--json").out)
    assert plain["mistakes"][0]["pixels"] == list(pixels)


def test_a_chart_leaves_out_what_is_not_finite() -> None:
    lines = range_chart([(0.001, 2.3), (0.01, 2.0), (0.1, 1.0), (1.0, float("inf"))], 0.03)
    assert lines[-1].endswith("try 0.03") and lines[-2].split() == ["0.001", "0.01", "0.1", "learning", "rate"]
    drawn = "\n".join(lines)
    assert "┊" in drawn and "⠤" in drawn and {"2┤", "1┤"} <= set(re.findall(r"\d┤", drawn))
    assert range_chart([(0.1, float("nan"))], 0.1) == ["the loss was never finite"]


def test_the_losses_of_a_batch_by_heart_fall_to_the_goal() -> None:
    *lines, goal = overfit_chart([2.0, math.nan, 0.2, 0.03], 0.05)
    assert goal == "─ the goal, a loss of 0.05"
    assert lines[-1].split() == ["0", "1", "2", "3", "steps"]
    rows = {line.split("┤")[0].strip(): line for line in lines if "┤" in line}
    assert "─" in rows["0.05"] and "─" not in rows["2"]
    assert len(overfit_chart([2.0, 1.9] * 100, 0.05)[-2].split()) >= 5  # so many steps have no tick each
    assert overfit_chart([math.nan] * 3, 0.05) == ["the loss was never finite"]
    assert overfit_chart([0.01], 0.05) == ["the goal was reached before the first step"]


def test_the_list_of_checks_has_names_and_titles(workbench: Command) -> None:
    lines = workbench("checks").out.splitlines()
    assert any("dead_units" in line and "dead ReLUs: " in line for line in lines)
