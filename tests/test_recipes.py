"""The packaged recipes: well-formed, and each rung of the ladder differs from the one below by what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.recipe import Recipe, difference, read_recipe_file

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


def recipe(name: str) -> Recipe:
    return read_recipe_file(RECIPES / f"{name}.toml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_is_consistent_and_named_like_its_file(path: Path) -> None:
    found = read_recipe_file(path)
    assert found.name == path.stem
    assert found.about
    assert found.expect.source


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("v0", "v1", {"techniques.he_init"}),
        ("v1", "v2", {"techniques.batch_norm", "techniques.sgd.learning_rate", "techniques.sgd.momentum"}),
        ("v2", "v3", {"train.epochs", "techniques.cosine"}),
        ("v3", "v4", {"techniques.random_crop", "techniques.horizontal_flip"}),
        ("v4", "v5", {"model.depth", "techniques.residual"}),
        ("v5", "v6", {"techniques.sgd", "techniques.adamw", "techniques.gradient_clipping"}),
    ],
)
def test_each_rung_changes_only_what_its_section_states(before: str, after: str, changes: set[str]) -> None:
    found = {change.path for change in difference(recipe(before), recipe(after))}
    toggled = {path for path in changes if path.count(".") == 1 and path.startswith("techniques.")}
    assert changes <= found
    assert all(any(path == t or path.startswith(t + ".") for t in toggled) for path in found - changes)
