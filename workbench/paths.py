"""Where runs, recipes and data sets lie: folders given by options, variables and settings, else the usual ones."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from workbench.filesystem import NOT_THERE, absolute, dangling, gone, why
from workbench.storage.user_cache import user_cache

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class RecipeFolder:
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


def recipe_folders() -> list[RecipeFolder]:
    """The folders that are searched for a recipe's name, in that order."""
    saved, packaged = RecipeFolder("saved", saved_recipes()), RecipeFolder("packaged", packaged_recipes())
    if absolute(saved.folder) == absolute(packaged.folder):  # at work in a checkout of the workbench
        return [packaged]
    return [saved, packaged]


def known_recipes() -> dict[str, Path]:
    """Every recipe that a name stands for, sorted by name; a saved one hides a packaged one of its name."""
    found: dict[str, Path] = {}
    for folder in recipe_folders():
        for name, path in folder.recipes.items():
            found.setdefault(name, path)
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


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
