"""The preview process on real builds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.preview.answers import Answers, sample_steps
from workbench.preview.protocol import Checks, Refused, Request, Static, read_reply, to_line
from workbench.recipe import RecipeError

ROOT = Path(__file__).resolve().parents[2]


def test_numbers_of_a_recipe(digits_recipe: str, tmp_path: Path) -> None:
    import torch

    before = torch.get_rng_state()
    static, checks = list(Answers()(Request(1, digits_recipe, str(tmp_path))))
    assert isinstance(static, Static) and isinstance(checks, Checks)
    assert static.parameters == sum(static.parameters_by_part.values()) > 0
    assert static.steps == 2 * static.steps_per_epoch
    assert len(static.learning_rates) == static.steps
    assert {rate for _, rate in static.learning_rates} == {0.05}
    assert checks.initial_loss == pytest.approx(math.log(10), abs=0.5)
    assert {check["name"] for check in checks.checks} >= {"initial loss", "input statistics"}
    assert torch.equal(before, torch.get_rng_state())


def test_a_data_set_is_read_once(digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.recipe.registries import SOURCES

    digits = SOURCES["digits"]
    loads = []
    load = digits.load
    monkeypatch.setattr(digits, "load", lambda *a, **k: loads.append(1) or load(*a, **k))
    answers = Answers()
    for number, recipe in enumerate((digits_recipe, digits_recipe.replace("0.05", "0.1"))):
        (static,) = list(answers(Request(number, recipe, str(tmp_path), stages=("static",))))
        assert isinstance(static, Static)
    assert len(loads) == 1


def test_a_missing_data_set_is_one_line(digits_recipe: str, tmp_path: Path) -> None:
    from workbench.data.base import DataError

    with pytest.raises(DataError, match=str(tmp_path)):
        list(Answers()(Request(1, digits_recipe.replace('"digits"', '"cifar10"'), str(tmp_path))))


def test_a_recipe_with_conflicts_is_refused(digits_recipe: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="optimizer"):
        list(Answers()(Request(1, digits_recipe + "[techniques.adamw]\n", str(tmp_path))))


def test_points_of_the_curve() -> None:
    assert sample_steps(3) == [0, 1, 2]
    steps = sample_steps(78_200)
    assert (steps[0], steps[-1], len(steps)) == (0, 78_199, 200)
    assert steps == sorted(set(steps))


def test_the_process_answers_and_ends_with_its_input(digits_recipe: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.preview"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(to_line(Request(5, digits_recipe, str(tmp_path))))
    process.stdin.flush()
    assert [type(read_reply(process.stdout.readline())) for _ in range(2)] == [Static, Checks]
    process.stdin.write(to_line(Request(6, "epochs = ", str(tmp_path))))
    process.stdin.flush()
    refused = read_reply(process.stdout.readline())
    assert isinstance(refused, Refused) and "TOML" in refused.error
    process.stdin.close()
    assert process.wait(10) == 0
    assert process.stdout.read() == ""


def test_replies_are_plain_json(digits_recipe: str, tmp_path: Path) -> None:
    for reply in Answers()(Request(1, digits_recipe, str(tmp_path))):
        assert json.loads(to_line(reply))["id"] == 1
