"""Speeds of past runs, and what follows for another recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.fakes import RECIPE, started, trained, written
from workbench.recipe import Recipe, read_recipe
from workbench.recipe.registries import MODELS, TECHNIQUES
from workbench.runs.find.speed import Speeds, estimate
from workbench.runs.store.status import read_status, write_status


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe(RECIPE)


def measured(
    root: Path, recipe: Recipe, number: int, rate: float | None = 500.0, work: int | None = 20_000_000, **said: str
) -> None:
    events = [replace(started(), multiply_adds=work), trained(10)]
    run = written(root / f"20261120-14250{number}-{recipe.name}-000{number}", recipe, events, "finished")
    status = read_status(run)
    assert status is not None
    write_status(run, replace(status, images_per_second=rate, device="cpu", **said))


def test_the_same_network_has_the_same_rate_whatever_else_differs(tmp_path: Path, recipe: Recipe) -> None:
    measured(tmp_path, recipe, 1, 400.0)
    measured(tmp_path, recipe, 2, 500.0)
    other = recipe.with_technique(TECHNIQUES["label_smoothing"]()).without_technique("cosine")
    found = estimate(other, 20_000_000, "cpu", Speeds(tmp_path).read())
    assert found is not None and not found.scaled
    assert (found.images_per_second, found.source.recipe) == (500.0, "small")  # the newest


def test_another_network_is_scaled_from_the_nearest(tmp_path: Path, recipe: Recipe) -> None:
    measured(tmp_path, recipe, 1, 500.0, 20_000_000)
    large = recipe.model_copy(update={"name": "large", "model": MODELS["vgg"]()})
    measured(tmp_path, large, 2, 50.0, 400_000_000)
    speeds = Speeds(tmp_path).read()
    changed = recipe.with_technique(TECHNIQUES["squeeze_excite"]())
    near, far = estimate(changed, 40_000_000, "cpu", speeds), estimate(changed, 200_000_000, "cpu", speeds)
    assert near is not None and near.scaled and near.images_per_second == pytest.approx(250.0)
    assert far is not None and far.source.recipe == "large" and far.images_per_second == pytest.approx(100.0)
    assert estimate(changed, None, "cpu", speeds) is None


def test_what_was_measured_elsewhere_says_nothing(tmp_path: Path, recipe: Recipe) -> None:
    measured(tmp_path, recipe, 1, host="another")
    measured(tmp_path, recipe, 2, None)
    assert Speeds(tmp_path).read() == []
    measured(tmp_path, recipe, 3)
    assert estimate(recipe, 20_000_000, "cuda:0", Speeds(tmp_path).read()) is None
    assert Speeds(tmp_path / "nowhere").read() == []


def test_an_ended_run_is_read_once_and_a_broken_one_left_out(tmp_path: Path, recipe: Recipe) -> None:
    measured(tmp_path, recipe, 1)
    measured(tmp_path, recipe, 2)
    (broken,) = tmp_path.glob("*0002")
    (broken / "recipe.toml").write_text("epochs = ")
    speeds = Speeds(tmp_path)
    first = speeds.read()
    assert len(first) == 1
    (whole,) = tmp_path.glob("*0001")
    (whole / "events.jsonl").unlink()
    assert speeds.read() == first


def test_a_run_from_before_the_count_was_kept_still_says_its_own_rate(tmp_path: Path, recipe: Recipe) -> None:
    measured(tmp_path, recipe, 1, work=None)
    speeds = Speeds(tmp_path).read()
    assert estimate(recipe, 20_000_000, "cpu", speeds) is not None
    assert estimate(recipe.with_technique(TECHNIQUES["dropout"]()), 20_000_000, "cpu", speeds) is None
