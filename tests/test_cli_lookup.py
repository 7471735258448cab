"""The commands that look things up: recipes, techniques, models, data, check, diff; and what errors look like."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from tests.runs.helpers import SMALL, Command, environment, invoke
from workbench import __version__
from workbench.cli import app
from workbench.data.base import DataError, Source
from workbench.recipe import plugins
from workbench.recipe.registries import SOURCES, TECHNIQUES


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_RUNS", raising=False)
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    return lambda *arguments: invoke(capsys, *arguments)


COMMANDS = (
    "run", "check", "recipes", "techniques", "models", "diff", "data", "runs", "show", "watch", "stop", "pause",
    "continue", "checkpoint", "bench",
)  # fmt: skip


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("data", "get")])
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert result.exit_code == 0
    assert "Usage: " in result.output
    if command not in (("pause",), ("continue",), ("checkpoint",)):
        assert "Example" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_help_loses_no_word_to_markup() -> None:
    """What stands in square brackets is taken for a style and vanishes, unless it stands in an example."""
    commands: dict[str, Any] = vars(get_command(app))["commands"]
    for name, command in commands.items():
        texts = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]
        shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).output
        lost = [word for text in texts for word in re.findall(r"\[[a-z][^\]\s]*\]", text) if word not in shown]
        assert not lost, f"workbench {name} --help: {lost}"


def test_help_lists_every_command() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    assert [name for name in COMMANDS if f" {name} " not in output] == []


def test_version(workbench: Command) -> None:
    assert workbench("--version").out == f"workbench {__version__}\n"


def test_looking_things_up_imports_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from workbench.cli import main
for arguments in ("--help", "recipes", "techniques --json", "models", "data", "runs", "diff v0 v1", "run v9", "show x"):
    try:
        main(arguments.split())
    except SystemExit as left:
        heavy = {"torch", "torchvision", "sklearn", "textual", "plotext", "numpy"}
        print(arguments, left.code, heavy & set(sys.modules))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    told = [line for line in result.stdout.splitlines() if line.endswith("set()")]
    assert [line.split()[-2] for line in told] == ["0"] * 7 + ["2"] * 2, result.stdout


def test_recipes_are_listed_whole_in_a_pipe(workbench: Command) -> None:
    result = workbench("recipes")
    assert result.code == 0
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert {"name", "digits", "resnet20", "v0", "v6"} <= lines.keys()
    assert "91–93 %" in lines["resnet20"] and "…" not in result.out


def test_recipes_as_json(workbench: Command) -> None:
    found = {recipe["name"]: recipe for recipe in json.loads(workbench("recipes", "--json").out)}
    digits = found["digits"]
    assert (digits["dataset"], digits["model"], digits["epochs"]) == ("digits", "cnn", 10.0)
    assert digits["accuracy"] == [0.98, 1.0]
    assert "sgd" in digits["techniques"] and Path(digits["path"]).is_file() and digits["about"]


def test_a_broken_recipe_is_listed_with_its_error(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "bad.toml").write_text("seed = -1\nepochs = 3")
    (tmp_path / "recipes" / "worse.toml").write_bytes(b"\xff\xfe")
    found = {recipe["name"]: recipe for recipe in json.loads(workbench("recipes", "--json").out)}
    assert [line.split(": ")[1] for line in found["bad"]["error"]] == ["epochs", "seed", "techniques"]
    assert "UTF-8" in found["worse"]["error"][0]
    assert "broken: recipes/bad.toml:" in workbench("recipes").out


def test_techniques_are_listed_by_group(workbench: Command) -> None:
    lines = workbench("techniques").out.splitlines()
    groups = list(dict.fromkeys(line.split()[0] for line in lines[1:]))
    assert len(lines) - 1 == len(TECHNIQUES.names())
    assert groups.index("initialisation") < groups.index("optimizer") < groups.index("schedule")


def test_a_technique_shows_its_card(workbench: Command) -> None:
    out = workbench("techniques", "label_smoothing").out
    spec = TECHNIQUES["label_smoothing"]
    assert spec.summary() in out and spec.source in out and "tradeoff" in out
    assert "smoothing" in out and "a number ≥ 0, < 1" in out and "enabled" not in out


def test_techniques_as_json(workbench: Command) -> None:
    found = {spec["name"]: spec for spec in json.loads(workbench("techniques", "--json").out)}
    sgd = {p["name"]: p for p in found["sgd"]["parameters"]}
    assert sgd["momentum"] == {
        "name": "momentum",
        "kind": "number",
        "default": 0.9,
        "required": False,
        "bounds": "≥ 0, < 1",
        "choices": [],
        "unit": "",
        "description": sgd["momentum"]["description"],
    }
    assert found["sgd"]["group"] == "optimizer" and found["sgd"]["source"]
    assert found["residual"]["needs"][0]["what"] == "a model with residual"
    assert json.loads(workbench("techniques", "sgd", "--json").out) == found["sgd"]


def test_models_and_sources_have_cards_too(workbench: Command) -> None:
    assert "resnet" in workbench("models").out
    assert "capable of" in workbench("models", "resnet").out
    assert {"cnn", "resnet"} <= {spec["name"] for spec in json.loads(workbench("models", "--json").out)}
    assert "scikit-learn" in workbench("data").out
    assert "cifar10" in {spec["name"] for spec in json.loads(workbench("data", "--json").out)}


def test_two_recipes_are_compared(workbench: Command, tmp_path: Path) -> None:
    assert "techniques.he_init: — → on" in workbench("diff", "v0", "v1").out
    assert workbench("diff", "v0", "v0").out == "no difference\n"
    (tmp_path / "mine.toml").write_text(SMALL.replace("0.05", "0.5"))
    (tmp_path / "other.toml").write_text(SMALL)
    found = json.loads(workbench("diff", "other.toml", "mine.toml", "--json").out)
    assert found == [{"path": "techniques.sgd.learning_rate", "before": 0.05, "after": 0.5}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "v9"), "no recipe 'v9'"),
        (("run", "digist"), "did you mean 'digits'?"),
        (("run",), "which recipe?"),
        (("run", "nowhere/x.toml"), "nowhere/x.toml: there is no such file"),
        (("run", "--resume", "last"), "there are no runs in runs"),
        (("run", "digits", "--resume", "last"), "a run's recipe stays as it is"),
        (("run", "digits", "--device", "gpu"), "unknown device 'gpu'"),
        (("run", "digits", "--epochs", "0", "--device", "cpu"), "train.epochs: expected a number > 0"),
        (("run", "digits", "--seed", "-1", "--device", "cpu"), "seed: expected a whole number ≥ 0"),
        (("run", "digits", "--set", "nonsense"), "'nonsense' is not of the form section.key=value"),
        (("run", "digits", "--plugin", "none.py"), "none.py: cannot be read"),
        (("techniques", "sdg"), "unknown technique 'sdg'; did you mean 'sgd'?"),
        (("checks", "qqq"), "unknown check 'qqq'; workbench checks lists them"),
        (("models", "resnett"), "did you mean 'resnet'?"),
        (("data", "get", "cifar"), "did you mean 'cifar10'?"),
        (("show", "x"), "there are no runs in runs"),
        (("watch",), "no run in runs is live"),
        (("stop", "last"), "there are no runs in runs"),
        (("frobnicate",), "No such command 'frobnicate'; see: workbench --help"),
        (("digits",), "the screens need a terminal"),
        (("nowhere.toml",), "nowhere.toml: there is no such file"),
        (("nowhere/mine",), "nowhere/mine: there is no such file"),
        (("digits", "v0"), "No such command 'v0'; 'workbench run v0' trains that recipe"),
        (("digits", "run"), "a command takes its recipe behind it: workbench run digits"),
        (("run", "--frobnicate"), "No such option"),
        (("check",), "Missing argument 'RECIPE'; see: workbench check --help"),
        (("--recipe", "v0", "runs"), "a command takes its recipe behind it: workbench runs v0"),
        ((), "the screens need a terminal"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(workbench: Command, arguments: tuple[str, ...], message: str) -> None:
    result = workbench(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err and result.err.count("\n") == 1
    assert not Path("runs").exists()


def test_every_problem_of_a_recipe_has_its_line(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(SMALL.replace("seed = 3", "seed = -3").replace("[8]", "8") + "momentun = 0.9\n")
    result = workbench("run", "bad.toml")
    assert result.code == 2
    lines = result.err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("bad.toml:4: seed: ") and "did you mean 'momentum'?" in result.err


def test_a_recipe_that_cannot_stand_is_refused_before_torch_is_there(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(SMALL + "[techniques.adamw]\n")
    result = workbench("run", "two.toml")
    assert result.code == 2 and "switch one off" in result.err


def test_tracebacks_only_with_debug(workbench: Command) -> None:
    assert "Traceback" not in workbench("run", "v9").err
    assert "Traceback" in workbench("--debug", "run", "v9").err
    assert "Traceback" in workbench("run", "v9", "--debug").err


def test_an_unexpected_error_is_one_line_too(workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("workbench.commands.recipes.known_recipes", broken)
    result = workbench("recipes")
    assert (result.code, result.err) == (1, "unexpected ZeroDivisionError: oh no; --debug shows where\n")


def test_a_plugin_counts_before_and_after_the_command(
    workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TECHNIQUES, "_specs", {spec.name: spec for spec in TECHNIQUES})
    monkeypatch.setattr(plugins, "_loaded", {})
    for number, arguments in ((1, ("--plugin", "p1.py", "techniques")), (2, ("techniques", "--plugin", "p2.py"))):
        (tmp_path / f"p{number}.py").write_text(
            "from workbench.techniques.base import Technique\n"
            f'class P{number}(Technique):\n    """From a plugin."""\n'
            f'    name, group = "from_plugin_{number}", "loss"\n'
        )
        assert f"from_plugin_{number}" in workbench(*arguments).out
    (tmp_path / "bad.py").write_text("1 / 0")
    result = workbench("techniques", "--plugin", "bad.py")
    assert result.code == 2 and "ZeroDivisionError" in result.err and result.err.count("\n") == 1


def test_data_is_fetched_where_it_is_asked_for(
    workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(self: Source, root: Path, report: Any) -> Path:
        for share in (0.0, 0.5, 1.0):
            report("downloading", share)
        if root.name == "full":
            raise DataError("no room")
        return root / "files"

    monkeypatch.setattr(SOURCES["cifar10"], "get", get)
    for arguments in (("--data-root", "d", "data", "get", "cifar10"), ("data", "get", "cifar10", "--data-root", "d")):
        result = workbench(*arguments)
        assert (result.code, result.out) == (0, "cifar10: d/files\n")
        assert "downloading: 0 %" in result.err
    result = workbench("data", "get", "cifar10", "--data-root", "full")
    assert result.code == 1 and result.err.endswith("no room\n")


def test_what_cannot_be_downloaded_says_so(workbench: Command) -> None:
    result = workbench("data", "get", "folder")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "cannot be downloaded" in result.err or "not one that can be downloaded" in result.err


REPORT = {
    "parameters": 12,
    "parameters_by_part": {"a": 12},
    "multiply_adds": 4096,
    "initial_loss": 2.3,
    "expected_initial_loss": float("nan"),
    "steps": 230,
    "steps_per_epoch": 23,
    "execution": {"asked": "auto", "mode": "off", "why": "a CPU", "in_words": "as written (auto: a CPU)"},
    "checks": [{"name": "n", "verdict": "pass", "expected": "e", "found": "f", "reason": "r"}],
    "notes": ["another format is used"],
}


def fake_preflight(monkeypatch: pytest.MonkeyPatch, verdict: str) -> list[Any]:
    asked: list[Any] = []

    def report(recipe: Any, device: str, data_root: Path, only: Any = (), everything: bool = False) -> dict[str, Any]:
        asked.append((recipe.name, recipe.seed, device, data_root))
        return REPORT | {"checks": [REPORT["checks"][0] | {"verdict": verdict}]}  # type: ignore[index]

    module = type(sys)("workbench.checks.preflight")
    module.preflight_report = report  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "workbench.checks.preflight", module)
    return asked


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("warn", 0), ("fail", 3)])
def test_check_prints_one_object(workbench: Command, monkeypatch: pytest.MonkeyPatch, verdict: str, code: int) -> None:
    asked = fake_preflight(monkeypatch, verdict)
    result = workbench("check", "digits", "--json", "--device", "cpu", "--set", "seed=7", "--data-root", "d")
    assert result.code == code
    found = json.loads(result.out)
    assert list(found) == list(REPORT)
    assert found["expected_initial_loss"] is None and found["checks"][0]["verdict"] == verdict
    assert asked == [("digits", 7, "cpu", Path("d"))]


def test_check_speaks_to_people(workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_preflight(monkeypatch, "warn")
    out = workbench("--device", "cpu", "check", "digits").out
    assert "check n: warn: expected e, found f; r" in out and "2.3000" in out
    assert "as written (auto: a CPU)" in out
    assert "\nanother format is used\n" in out
