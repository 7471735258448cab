"""Where runs, recipes and data sets lie, and what a recipe's name stands for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from workbench.recipe.errors import Problem, RecipeError, nearest
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunNotFound
from workbench.runs.listing import find_run, list_runs

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
            return {path.stem: path for path in sorted(self.folder.glob("*.toml")) if path.is_file()}
        except OSError:
            return {}


def runs_root(option: Path | None = None, setting: str = "") -> Path:
    """Where runs go: the option, else WORKBENCH_RUNS, else the user's setting, else ``./runs``."""
    return _expanded(option or os.environ.get("WORKBENCH_RUNS") or setting or "runs")


def data_root(option: Path | None = None, setting: str = "") -> Path:
    """Where data sets lie: the option, else WORKBENCH_DATA, else the user's setting, else a cache folder."""
    if given := option or os.environ.get("WORKBENCH_DATA") or setting:
        return _expanded(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("workbench", appauthor=False)) / "data"


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
    if saved.folder.resolve() == packaged.folder.resolve():  # at work in a checkout of the workbench
        return [packaged]
    return [saved, packaged]


def known_recipes() -> dict[str, Path]:
    """Every recipe that a name stands for, sorted by name; a saved one hides a packaged one of its name."""
    found: dict[str, Path] = {}
    for place in recipe_places():
        for name, path in place.recipes.items():
            found.setdefault(name, path)
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def resolve_recipe(text: str, runs: Path | None = None) -> Path:
    """The file that holds a recipe: a path, a name in ``./recipes`` or among the packaged ones, a run, or ``last``.

    runs: the folder of runs. Raises RecipeError with the nearest known name.
    """
    root = runs_root(runs)
    given = _expanded(text)
    if given.is_file():
        return given
    if given.is_dir() and RunDirectory(given).exists():
        return RunDirectory(given).recipe_file
    if os.sep in text or text.endswith(".toml"):
        what = "is a folder without a recipe.toml" if given.is_dir() else "there is no such file"
        raise RecipeError([Problem("", what, None, text)])
    recipes = known_recipes()
    if text in recipes:
        return recipes[text]
    names = [found.run.name for found in list_runs(root)]
    if text in names or text == "last" or text[:8].isdigit():  # a part of a name only where it must mean a run
        try:
            return find_run(root, text).recipe_file
        except RunNotFound as error:
            raise RecipeError([Problem("", str(error))]) from None
    hint = (
        nearest(text, [*recipes, *names], list_all=0)
        or nearest(text, list(recipes))
        or "; workbench recipes lists them"
    )
    raise RecipeError([Problem("", f"no recipe '{text}'{hint}")])


def natural(text: str) -> list[tuple[bool, int, str]]:
    """A key that sorts ``v2`` before ``v10``."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)
    ]


def _expanded(path: str | Path) -> Path:
    return Path(path).expanduser()
