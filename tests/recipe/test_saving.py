"""Saving a recipe: what differs from the defaults, over a file that keeps its comments."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.recipe.test_reading import recipes
from workbench.paths import packaged_recipes
from workbench.recipe import Recipe, read_recipe, read_recipe_file, save_recipe, save_whole, write_own, write_recipe
from workbench.recipe.schema import to_tables
from workbench.recipe.updating import updated
from workbench.recipe.writing import own_tables

PATIENT = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

MINE = """\
# Mine, of a Sunday.
name = "mine"

[model]
name = "resnet"
blocks = [2, 2, 2]   # as deep as it gets

# The optimizer first: it matters most.
[techniques.sgd]
weight_decay = 5e-4  # more hurts
learning_rate = 0.1  # the default, but I want to see it

[techniques.cosine]

[train]
epochs = 30.0
"""


@PATIENT
@given(recipes())
def test_what_differs_from_the_defaults_is_the_whole_recipe(recipe: Recipe) -> None:
    text = write_own(recipe)
    assert write_recipe(read_recipe(text, consistent=False)) == write_recipe(recipe)
    assert len(text) <= len(write_recipe(recipe))


@PATIENT
@given(recipes(), recipes(), st.booleans())
def test_a_text_takes_any_other_recipe_and_keeps_its_comments(before: Recipe, after: Recipe, whole: bool) -> None:
    plain = write_recipe(before) if whole else write_own(before)
    top = [line for line in plain.splitlines() if " = " in line and '"""' not in line][:2]
    text = "# at the top\n" + plain.replace(f"{top[1]}\n", f"# above\n{top[1]} # beside\n", 1)
    new = updated(text, own_tables(after), to_tables(after))
    assert write_recipe(read_recipe(new, consistent=False)) == write_recipe(after)
    assert new.startswith("# at the top\n")


@pytest.mark.parametrize("path", sorted(packaged_recipes().glob("*.toml")), ids=lambda path: path.stem)
def test_an_unchanged_recipe_is_saved_over_itself_to_the_byte(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    save_recipe(read_recipe_file(path), copy)
    assert copy.read_bytes() == path.read_bytes()


def test_comments_and_order_stay_where_values_change(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    changed = MINE.replace("5e-4", "0.001").replace("30.0", "40.0").replace("[techniques.cosine]\n\n", "")
    recipe = read_recipe(changed, consistent=False)
    save_recipe(recipe, path)
    assert path.read_text() == changed

    sgd = recipe.techniques["sgd"].model_copy(update={"nesterov": True})
    save_recipe(recipe.with_technique(sgd), path)
    lines = path.read_text().splitlines()
    assert lines[lines.index("[techniques.sgd]") + 3] == "nesterov = true"
    assert lines[-3:] == ["", "[train]", "epochs = 40.0"]
    assert read_recipe_file(path, consistent=False).techniques["sgd"].nesterov


def test_a_file_keeps_the_names_that_it_uses(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = (
        'name = "mine"\n\n[model]\nname = "cnn"\n\n[techniques.bias_rate]  # as it was called\nfactor = 32.0  # a lot\n'
    )
    path.write_text(text)
    recipe = read_recipe(text, consistent=False)
    save_recipe(recipe, path)
    assert path.read_text() == text
    spec = recipe.techniques["bias_lr_scale"].model_copy(update={"factor": 16.0})
    save_recipe(recipe.with_technique(spec), path)
    assert path.read_text() == text.replace("32.0", "16.0")


@pytest.mark.parametrize("found", ["", "not [ toml", "name = 3\n", "# only a comment\n", "techniques = {sgd = {}}\n"])
def test_whatever_stood_there_the_recipe_is_saved(found: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(found)
    recipe = read_recipe(MINE, consistent=False)
    save_recipe(recipe, path)
    assert read_recipe_file(path, consistent=False) == recipe
    assert "dampening" not in path.read_text()


def test_a_run_keeps_every_value(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    save_whole(read_recipe(MINE, consistent=False), path)
    assert "dampening = 0.0" in path.read_text()
