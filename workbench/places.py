"""Where runs, recipes and data sets lie, and what a recipe's name stands for."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from workbench.filesystem import NOT_THERE, absolute, dangling, gone, why
from workbench.recipe.errors import Problem, RecipeError, nearest, quoted
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunNotFound
from workbench.runs.folder import Tell, holds_run, look_into
from workbench.runs.listing import find_run
from workbench.storage.regular import another
from workbench.storage.user_cache import user_cache

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class RecipePlace:
    """A folder of recipes; ``kind`` is ``"saved"`` or ``"packaged"``, and packaged ones are read-only."""

    kind: str
    folder: Path

    @property
    def recipes(self) -> dict[str, Path]:
        """The recipes here, by name."""
        try:
            return {path.stem: path for path in sorted(self.folder.glob("*.toml")) if _may_be_file(path)}
        except OSError:
            return {}

    @property
    def problem(self) -> str:
        """Why the folder cannot be read, in one line; "" if it can, or if there is none."""
        try:
            os.listdir(self.folder)
        except OSError as error:
            if error.errno in NOT_THERE - {errno.ENOTDIR} and not dangling(self.folder):
                return gone() if not self.folder.is_absolute() else ""
            return f"{self.folder}: cannot be read: {why(error, self.folder)}; its recipes are left out"
        return ""


def runs_root(option: Path | None = None, setting: str = "") -> Path:
    """Where runs go: the option, else WORKBENCH_RUNS, else the user's setting, else ``./runs``."""
    return _expanded(option or os.environ.get("WORKBENCH_RUNS") or setting or "runs")


def data_root(option: Path | None = None, setting: str = "") -> Path:
    """Where data sets lie: the option, else WORKBENCH_DATA, else the user's setting, else a cache folder."""
    if given := option or os.environ.get("WORKBENCH_DATA") or setting:
        return _expanded(given)
    return user_cache("data")


def packaged_recipes() -> Path:
    """The recipes that come with the workbench: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / "packaged_recipes"
    return installed if installed.is_dir() else PACKAGE.parent / "recipes"


def saved_recipes() -> Path:
    """Where recipes are saved: ``./recipes``."""
    return Path("recipes")


def recipe_places() -> list[RecipePlace]:
    """The folders that are searched for a recipe's name, in that order."""
    saved, packaged = RecipePlace("saved", saved_recipes()), RecipePlace("packaged", packaged_recipes())
    if absolute(saved.folder) == absolute(packaged.folder):  # at work in a checkout of the workbench
        return [packaged]
    return [saved, packaged]


def known_recipes() -> dict[str, Path]:
    """Every recipe that a name stands for, sorted by name; a saved one hides a packaged one of its name."""
    found: dict[str, Path] = {}
    for place in recipe_places():
        for name, path in place.recipes.items():
            found.setdefault(name, path)
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def resolve_recipe(text: str, runs: Path | None = None, tell: Tell = lambda line: None) -> Path:
    """The file that holds a recipe: a path, a name in ``./recipes`` or among the packaged ones, a run, or ``last``.

    runs: the folder of runs. tell: hears what else could have been meant and cannot be read. Raises RecipeError with
    the nearest known name; RunError if a run is meant that cannot be read.
    """
    root = runs_root(runs)
    given = _expanded(text)
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
    closed = [
        Problem("", problem) for problem in (*(place.problem for place in recipe_places()), folder.problem) if problem
    ]
    raise RecipeError([Problem("", f"no recipe {quoted(text)}{hint}"), *dict.fromkeys(closed)])


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


def _may_be_file(path: Path) -> bool:
    """Whether this is a file; what cannot be looked at may be one, and says so where it is opened."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def natural(text: str) -> list[tuple[bool, int, str]]:
    """A key that sorts ``v2`` before ``v10``."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)
    ]


def _expanded(path: str | Path) -> Path:
    return Path(path).expanduser()
