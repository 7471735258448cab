"""The check that names lines which would wait for a GPU, with planted ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.conftest import feeding, small_digits
from tests.checks.waiting_plants import QUICK, WAITS, place
from tests.techniques.table import NAMES, trial
from workbench.checks.base import Result
from workbench.checks.waiting import Waiting
from workbench.engine.build import build
from workbench.engine.would_wait import would_wait
from workbench.recipe import read_recipe

RECIPE = """
format = 1
name = "small"

[data]
source = "digits"
batch_size = 32

[model]
name = "cnn"
widths = [8]
hidden = []

[train]
epochs = 1

[techniques.sgd]

[techniques.batch_norm]

[techniques.waiting_plant]
"""


def examined(folder: Path, how: str, *changes: str, waits: bool = True) -> Result:
    plant = (f'techniques.waiting_plant.how="{how}"', f"techniques.waiting_plant.waits={str(waits).lower()}")
    recipe = read_recipe(RECIPE, overrides=(*plant, *changes))
    built = build(feeding(recipe, small_digits(96, 32)), "cpu", folder)
    try:
        result = Waiting().examine(built)
    finally:
        built.close()
    assert result is not None
    return result


@pytest.mark.parametrize("how", WAITS)
def test_a_line_that_waits_is_named_with_its_technique(tmp_path: Path, how: str) -> None:
    result = examined(tmp_path, how)
    assert result.verdict == "warn"
    assert result.found == f"techniques.waiting_plant, {place(how)}"


@pytest.mark.parametrize("how", QUICK)
def test_one_that_does_not_is_not(tmp_path: Path, how: str) -> None:
    result = examined(tmp_path, how, waits=False)
    assert (result.verdict, result.found) == ("pass", "none")


def test_what_a_loaders_workers_do_makes_no_step_wait(tmp_path: Path) -> None:
    assert examined(tmp_path, "images", "data.pipeline=loader", "data.workers=0").verdict == "pass"


def test_a_copy_that_cannot_be_trained_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WAITS, "float", ("objective", lambda loss: 1 / 0))
    result = examined(tmp_path, "float")
    assert result.verdict == "not judged" and "ZeroDivisionError" in result.reason


@pytest.mark.parametrize("name", NAMES)
def test_no_technique_of_ours_is_named(name: str, tmp_path: Path) -> None:
    built = build(feeding(trial(name), small_digits(96, 32)), "cpu", tmp_path)
    assert would_wait(built) == {}
    assert Waiting().examine(built) is None
    built.close()
