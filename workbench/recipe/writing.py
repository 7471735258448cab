"""Recipe in, TOML out: every value, in a fixed order, so that two recipes compare line by line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import tomli_w

from workbench.recipe.execution import Execution
from workbench.recipe.schema import Recipe, to_tables
from workbench.storage.atomic import write_bytes
from workbench.visible import in_quotes, visible


def write_recipe(recipe: Recipe, executed: Execution | None = None) -> str:
    """The recipe as TOML text; reading it back gives an equal recipe.

    executed: what ``train.compile`` came to where it was run; a comment says so, and why.
    """
    text = in_quotes(tomli_w.dumps(to_tables(recipe)))
    if executed is None or not executed.why:
        return text
    setting = f'\ncompile = "{recipe.train.compile}"'
    return text.replace(setting, f"{setting} # here: {visible(str(executed), keep='')}", 1)


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of the recipe's text, in the names that its keys had at first: the same in every version."""
    return hashlib.sha256(in_quotes(tomli_w.dumps(to_tables(recipe, first_names=True))).encode()).hexdigest()


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe to a file in one step: what stood there stays until the new text is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, write_recipe(recipe).encode())
