"""Checks in a recipe: tables that set their thresholds, and recipes without them that stay as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.checks.base import Check, chosen
from workbench.checks.loss_spikes import LossSpikes
from workbench.recipe import RecipeError, difference, read_recipe, read_recipe_file, write_recipe
from workbench.recipe.registries import CHECKS

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes"
METHODS = {"before": "examine", "during": "watch", "after": "review"}


@pytest.mark.parametrize("spec", list(CHECKS), ids=CHECKS.names())
def test_a_card_is_complete(spec: type[Any]) -> None:
    assert len(spec.summary()) <= 140
    assert spec.title and spec.when in METHODS
    assert all(field.description for field in spec.model_fields.values())
    defined = {method for method in METHODS.values() if getattr(spec, method) is not getattr(Check, method)}
    assert defined == {METHODS[spec.when]}


def test_titles_are_unique() -> None:
    titles = [spec.title for spec in CHECKS]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_without_checks_is_written_without(path: Path) -> None:
    assert "[checks" not in write_recipe(read_recipe_file(path))


def test_thresholds_are_read_and_written(digits_recipe: str) -> None:
    text = digits_recipe + "[checks.loss_spikes]\nfactor = 3.5\n[checks.fit]\nenabled = false\n"
    recipe = read_recipe(text)
    spikes = recipe.checks["loss_spikes"]
    assert isinstance(spikes, LossSpikes) and spikes.factor == 3.5
    written = write_recipe(recipe)
    assert "[checks.fit]\nenabled = false\n" in written and "factor = 3.5" in written
    assert read_recipe(written) == recipe != read_recipe(digits_recipe)
    assert difference(read_recipe(digits_recipe), recipe) == []
    assert difference(read_recipe(digits_recipe), recipe, names=True) != []


def test_what_is_made(digits_recipe: str) -> None:
    def names(*overrides: str, **more: Any) -> list[str]:
        return [spec.name for spec in chosen(read_recipe(digits_recipe, overrides=overrides), "before", **more)]

    usual = names()
    assert usual[:3] == ["input_statistics", "initial_loss", "parameter_count"]
    assert "overfit_batch" not in usual
    assert "duplicates" not in names("checks.duplicates=off")
    assert "overfit_batch" in names("checks.overfit_batch=on")
    assert "overfit_batch" not in names("checks.overfit_batch.steps=5")
    assert names(only=["zero_input"]) == ["zero_input"]
    assert set(names(everything=True)) == {spec.name for spec in CHECKS if spec.when == "before"}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("checks.loss_spike.factor=3", "unknown check 'loss_spike'; did you mean 'loss_spikes'?"),
        ("checks.loss_spikes.factr=3", "unknown key 'factr'; did you mean 'factor'?"),
        ("checks.loss_spikes.factor=1", "expected a number > 1"),
        ("check.fit.images=3", "unknown key 'check'; did you mean 'checks'?"),
        ("techniques.fit.images=3", "unknown technique 'fit'; workbench techniques lists them"),
    ],
)
def test_what_is_wrong_is_said(digits_recipe: str, override: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(digits_recipe, overrides=[override])
    assert words in str(caught.value)
