"""A new recipe from a data source and a model."""

from __future__ import annotations

import pytest

from workbench.recipe import Expect, conflicts, read_recipe, write_own
from workbench.recipe.registries import MODELS, SOURCES
from workbench.recipe.starting import blank, starting


@pytest.mark.parametrize("model", MODELS.names())
@pytest.mark.parametrize("source", SOURCES.names())
def test_every_data_source_with_every_model_can_be_trained_at_once(source: str, model: str) -> None:
    place = "path = '~/my flowers'\n" if source == "folder" else ""
    given = read_recipe(f"[data]\nsource = '{source}'\n{place}[model]\nname = '{model}'", consistent=False)
    recipe = starting(given)
    assert conflicts(recipe) == []
    assert (recipe.data_source, recipe.model) == (given.data_source, given.model)
    assert recipe.name == f"{'my-flowers' if source == 'folder' else source}-{model}"
    assert recipe.on("residual") == (model == "resnet")
    assert read_recipe(write_own(recipe)) == recipe


def test_nothing_of_the_recipe_before_is_left() -> None:
    before = read_recipe(
        "name = 'mine'\nabout = 'x'\nseed = 3\n[data]\nsource = 'cifar10'\nbatch_size = 7\n"
        "[model]\nname = 'cnn'\nwidths = [8]\n[techniques.adamw]\n"
        "[expect]\nparameters = 3\n[checks.fit]\nenabled = false\n"
    )
    recipe = starting(blank(before))
    assert recipe.name == "cifar10-cnn" and recipe.data.batch_size == 128 and recipe.model == type(before.model)()
    assert recipe.expect == Expect() and recipe.checks == {} and not recipe.on("adamw") and recipe.seed == 0
