"""A recipe to begin with: a data source, a model, and what trains any of them."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.recipe.consistency import conflicts
from workbench.recipe.reading import read_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.recipe.schema import Expect, Recipe


def blank(recipe: Recipe) -> Recipe:
    """Another one's data source and kind of model, and nothing else; it cannot be trained."""
    nothing = read_recipe("", consistent=False)
    source = {"data": nothing.data.model_copy(update={"source": recipe.data.source}), "data_source": recipe.data_source}
    return nothing.model_copy(update=source | {"model": type(recipe.model)()})


def starting(recipe: Recipe) -> Recipe:
    """A new recipe for another one's data source and model: the techniques that say so of themselves, no claims."""
    name = f"{_data(recipe)}-{recipe.model.name}"
    new = recipe.model_copy(update={"name": name, "about": "", "techniques": {}, "checks": {}, "expect": Expect()})
    # One after the other: an optimizer is missing until there is one, which speaks against nothing else.
    for kind in TECHNIQUES:
        if kind.starter:
            with_it = new.with_technique(kind())
            if len(conflicts(with_it)) <= len(conflicts(new)):
                new = with_it
    return new


def _data(recipe: Recipe) -> str:
    """The data in a word that can name files: a folder's own name, or else that of the source."""
    folder = Path(str(getattr(recipe.data_source, "path", ""))).name
    return re.sub(r"[^a-zA-Z0-9_]+", "-", folder).strip("-")[:40] or recipe.data.source
