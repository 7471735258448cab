"""Recipe in, TOML out, in a fixed order, so that two recipes compare line by line: complete, or what is not default."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import tomli_w

from workbench.recipe.earlier_names import EarlierNames
from workbench.recipe.errors import RecipeError
from workbench.recipe.execution import Execution
from workbench.recipe.parameters import parameters
from workbench.recipe.reading import read_recipe
from workbench.recipe.schema import Recipe, to_tables
from workbench.recipe.specs import Table
from workbench.storage import toml
from workbench.storage.atomic import write_bytes
from workbench.storage.regular import read_text
from workbench.visible import in_quotes, visible


def write_recipe(recipe: Recipe, executed: Execution | None = None) -> str:
    """The recipe as TOML text, every value of it; reading it back gives an equal recipe.

    executed: what ``train.compile`` came to where it was run; a comment says so, and why.
    """
    text = in_quotes(tomli_w.dumps(to_tables(recipe)))
    if executed is None or not executed.why:
        return text
    setting = f'\ncompile = "{recipe.train.compile}"'
    return text.replace(setting, f"{setting} # here: {visible(str(executed), keep='')}", 1)


def write_own(recipe: Recipe) -> str:
    """The recipe as TOML text without what has its default; reading it back gives an equal recipe."""
    return in_quotes(tomli_w.dumps(own_tables(recipe)))


def own_tables(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested tables like ``to_tables``, without values that reading fills in.

    What a recipe is about stays, the data source and the model's name among it, and every technique's table.
    """
    tables = to_tables(recipe)
    if not recipe.seed:
        del tables["seed"]
    usual = _usual(recipe.data) | _usual(recipe.data_source)
    tables["data"] = {k: v for k, v in tables["data"].items() if k == "source" or k not in usual}
    tables["model"] = {k: v for k, v in tables["model"].items() if k not in _usual(recipe.model)}
    tables["train"] = {k: v for k, v in tables["train"].items() if k == "epochs" or k not in _usual(recipe.train)}
    for section, specs in (("techniques", recipe.techniques), ("checks", recipe.checks)):
        for name, spec in specs.items():
            own = {k: v for k, v in tables[section][name].items() if k not in _usual(spec)}
            tables[section][name] = own
    return tables


def _usual(table: Table) -> set[str]:
    """The keys whose values are the defaults, to the sign of a zero."""
    found = {name: p.default for name, p in parameters(type(table)).items() if not p.required}
    return {name for name, default in found.items() if _same(getattr(table, name), default)}


def _same(value: Any, default: Any) -> bool:
    return bool(value == default) and "-0.0" not in repr(value)


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of the recipe's text, in the names that its keys had at first: the same in every version."""
    return hashlib.sha256(in_quotes(tomli_w.dumps(to_tables(recipe, first_names=True))).encode()).hexdigest()


def save_recipe(recipe: Recipe, path: Path, text: str | None = None) -> None:
    """Write a recipe to a file in one step: what stood there stays until the new text is complete.

    Only what is not a default is written. Where a recipe stands in the file already, its comments, its order and what
    it says of defaults stay; a ``text`` is written over instead of the file's, "" for a new one. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, write_over(recipe, _found(path) if text is None else text).encode())


def save_whole(recipe: Recipe, path: Path) -> None:
    """Write every value of a recipe to a file in one step, as a run keeps it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, write_recipe(recipe).encode())


def write_over(recipe: Recipe, text: str) -> str:
    """A TOML text with a recipe in the place of the one that it holds; where that cannot be, the recipe's own text."""
    from workbench.recipe.updating import updated  # whoever writes over nothing does without tomlkit

    if not text.strip():
        return write_own(recipe)
    own = own_tables(recipe)
    for section, key in (("data", "source"), ("train", "epochs")):  # the text may do without, as it did before
        if key in _usual(getattr(recipe, section)):
            del own[section][key]
    least = {key: value for key, value in own.items() if key != "format" and value not in ({}, [])}
    new = updated(text, *_as_written(text, least, to_tables(recipe)))
    try:
        same = bool(new) and write_recipe(read_recipe(new, consistent=False)) == write_recipe(recipe)
    except RecipeError:
        same = False
    return new if same else write_own(recipe)


def _as_written(text: str, *recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables of a recipe in the names that a text calls them by, earlier ones among them."""
    names = EarlierNames()
    try:
        names.replaced(toml.loads(text))
    except (ValueError, RecursionError):
        return list(recipe)
    return [names.kept(tables) for tables in recipe]


def _found(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, ValueError):
        return ""
