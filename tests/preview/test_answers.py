"""The preview process on real builds."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import GIVE_UP
from workbench.engine.planned import sample_steps
from workbench.preview.answers import Answers
from workbench.preview.protocol import (
    STAGES,
    Checks,
    PreviewRequest,
    Refused,
    Samples,
    Stage,
    Static,
    read_reply,
    to_line,
)
from workbench.recipe import RecipeError, read_recipe_file, write_recipe
from workbench.runs.find.resolve import resolve_recipe

ROOT = Path(__file__).resolve().parents[2]


def asked(stage: Stage, recipe: str, root: Path, number: int = 1, **more: Any) -> PreviewRequest:
    return PreviewRequest(number, stage, recipe, str(root), **more)


def test_numbers_of_a_recipe(digits_recipe: str, tmp_path: Path) -> None:
    import torch

    before = torch.get_rng_state()
    answers = Answers()
    static, checks = (answers(asked(stage, digits_recipe, tmp_path)) for stage in ("static", "checks"))
    assert isinstance(static, Static) and isinstance(checks, Checks)
    assert static.parameters == sum(static.parameters_by_part.values()) > 0
    assert static.multiply_adds is not None and static.multiply_adds > static.parameters / 10
    assert static.steps == 2 * static.steps_per_epoch
    assert len(static.learning_rates) == static.steps
    assert {rate for _, rate in static.learning_rates} == {0.05}
    assert checks.initial_loss == pytest.approx(math.log(10), abs=0.5)
    assert {check["name"] for check in checks.checks} >= {"initial loss", "input statistics"}
    assert torch.equal(before, torch.get_rng_state())


def test_a_data_set_is_read_once_whatever_asks(
    digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.recipe.registries import SOURCES

    digits = SOURCES["digits"]
    loads = []
    load = digits.load
    monkeypatch.setattr(digits, "load", lambda *a, **k: loads.append(1) or load(*a, **k))
    answers = Answers()
    with ThreadPoolExecutor() as pool:
        questions = [
            asked("static", digits_recipe, tmp_path),
            asked("baseline", digits_recipe.replace("0.05", "0.1"), tmp_path),
            asked("samples", digits_recipe, tmp_path, count=3, side=8),
        ]
        first, second, third = pool.map(answers, questions)
    assert isinstance(first, Static) and isinstance(second, Static) and isinstance(third, Samples)
    assert {rate for _, rate in second.learning_rates} == {0.1}
    assert len(loads) == 1


def test_a_missing_data_set_is_one_line(digits_recipe: str, tmp_path: Path) -> None:
    from workbench.data.base import DataError

    for stage in STAGES:
        with pytest.raises(DataError, match=str(tmp_path)):
            Answers()(asked(stage, digits_recipe.replace('"digits"', '"cifar10"'), tmp_path, count=2, side=8))


def test_a_recipe_with_conflicts_is_refused(digits_recipe: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="optimizer"):
        Answers()(asked("static", digits_recipe + "[techniques.adamw]\n", tmp_path))


def test_points_of_the_curve() -> None:
    assert sample_steps(3, 1) == [0, 1, 2]
    steps = sample_steps(78_200, 391)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, 78_199)
    assert 150 <= len(steps) <= 220
    assert {390, 391} <= set(steps)  # where a warm-up of one epoch ends
    assert len([step for step in steps if step < 391]) > 40
    assert max(b - a for a, b in itertools.pairwise(steps)) <= 800


def test_a_short_warm_up_of_a_long_run_is_in_the_curve(tmp_path: Path) -> None:
    changes = ["data.source=digits", "techniques.cosine.warmup_epochs=1", "techniques.cosine.every=step"]
    recipe = read_recipe_file(resolve_recipe("resnet20"), changes)
    assert recipe.train.epochs == 200
    static = Answers()(asked("static", write_recipe(recipe), tmp_path))
    assert isinstance(static, Static)
    rising = [rate for epoch, rate in static.learning_rates if epoch < 1]
    assert len(rising) > 5 and rising == sorted(rising) and rising[0] < 0.01
    assert max(rate for _, rate in static.learning_rates) == pytest.approx(0.1, rel=1e-3)


def test_the_process_answers_and_ends_with_its_input(digits_recipe: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench.preview"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None and process.stdout is not None
        for stage in ("static", "checks"):
            process.stdin.write(to_line(asked(stage, digits_recipe, tmp_path)))
        process.stdin.flush()
        assert {type(read_reply(process.stdout.readline())) for _ in range(2)} == {Static, Checks}
        process.stdin.write(to_line(asked("static", "epochs = ", tmp_path, 6)))
        process.stdin.flush()
        refused = read_reply(process.stdout.readline())
        assert isinstance(refused, Refused) and "TOML" in refused.error
        process.stdin.close()
        assert process.wait(GIVE_UP) == 0
        assert process.stdout.read() == ""


def test_replies_are_plain_json(digits_recipe: str, tmp_path: Path) -> None:
    for stage in STAGES:
        reply = Answers()(asked(stage, digits_recipe, tmp_path, count=1, side=8))
        assert json.loads(to_line(reply))["id"] == 1
