"""A recipe to begin with: a data source, a model, and what trains any of them."""

from __future__ import annotations

from workbench.recipe.consistency import conflicts
from workbench.recipe.reading import read_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.recipe.schema import Expect, Recipe


def blank() -> Recipe:
    """The embedded data set, the plainest model and nothing else; it cannot be trained."""
    return read_recipe("", consistent=False)


def starting(recipe: Recipe) -> Recipe:
    """A new recipe for another one's data source and model: the techniques that say so of themselves, no claims."""
    name = f"{recipe.data.source}-{recipe.model.name}"
    new = recipe.model_copy(update={"name": name, "about": "", "techniques": {}, "checks": {}, "expect": Expect()})
    # One after the other: an optimizer is missing until there is one, which speaks against nothing else.
    for kind in TECHNIQUES:
        if kind.starter:
            with_it = new.with_technique(kind())
            if len(conflicts(with_it)) <= len(conflicts(new)):
                new = with_it
    return new
