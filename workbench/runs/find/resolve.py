"""What a recipe's name stands for: a file, one of the recipes that are at hand, or that of a run."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workbench.filesystem import NOT_THERE, dangling, gone, why
from workbench.paths import known_recipes, recipe_folders, runs_root
from workbench.recipe.errors import Problem, RecipeError, nearest, quoted
from workbench.runs.errors import RunNotFound, Tell
from workbench.runs.find.listing import find_run, holds_run, look_into
from workbench.runs.store.directory import RunDirectory
from workbench.storage.regular import another


def resolve_recipe(text: str, runs: Path | None = None, tell: Tell = lambda line: None) -> Path:
    """The file that holds a recipe: a path, a name in ``./recipes`` or among the packaged ones, a run, or ``last``.

    runs: the folder of runs. tell: hears what else could have been meant and cannot be read. Raises RecipeError with
    the nearest known name; RunError if a run is meant that cannot be read.
    """
    root = runs_root(runs)
    given = Path(text).expanduser()
    if os.path.isfile(given):
        return given
    if RunDirectory(given).exists():
        return RunDirectory(given).recipe_file
    if os.sep in text or text.endswith(".toml"):
        raise RecipeError([Problem("", _not_a_recipe(given), None, text)])
    recipes = known_recipes()
    if text in recipes:
        return recipes[text]
    folder = look_into(root)
    names = [*folder.names, *dict(folder.unreadable)]
    if text in names or text == "last" or text[:8].isdigit():  # a part of a name only where it must mean a run
        try:
            return find_run(root, text, tell).recipe_file
        except RunNotFound as error:
            raise RecipeError([Problem("", str(error))]) from None
    hint = (
        nearest(text, [*recipes, *names], list_all=0)
        or nearest(text, list(recipes))
        or "; workbench recipes lists them"
    )
    closed = [problem for problem in (*(place.problem for place in recipe_folders()), folder.problem) if problem]
    problems = [f"no recipe {quoted(text)}{hint}", *dict.fromkeys(closed)]
    raise RecipeError([Problem("", problem) for problem in problems])


def _not_a_recipe(given: Path) -> str:
    """Why a path is no recipe's file."""
    try:
        mode = os.stat(given).st_mode
    except OSError as error:
        if error.errno not in NOT_THERE or dangling(given) or (not given.is_absolute() and gone()):
            return f"cannot be read: {why(error, given)}"
        return "there is no such file"
    if not stat.S_ISDIR(mode):
        return f"cannot be read: {another(mode)}; save the recipe in one and name that"
    reason = holds_run(given)
    return f"cannot be read: {reason}" if isinstance(reason, str) else "is a folder without a recipe.toml"
