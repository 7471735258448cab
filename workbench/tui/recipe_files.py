"""The recipes that can be opened by a list, and what text stands for which file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.filesystem import absolute
from workbench.places import natural, packaged_recipes, recipe_places, saved_recipes
from workbench.runs.directory import RunDirectory
from workbench.storage import toml
from workbench.storage.regular import read_text


@dataclass(frozen=True)
class RecipeFile:
    """A recipe in one of the known folders; ``kind`` is that of the place, ``"saved"`` or ``"packaged"``."""

    name: str
    path: Path
    kind: str
    about: str


def recipe_files() -> list[RecipeFile]:
    """Saved recipes first, then packaged ones, each in natural order; broken files say so instead of their text."""
    return [
        RecipeFile(name, path, place.kind, _about(path))
        for place in recipe_places()
        for name, path in sorted(place.recipes.items(), key=lambda item: natural(item[0]))
    ]


def writable(path: Path) -> Path | None:
    """The path itself, or None for a packaged recipe and for that of a run: saving must ask for another place."""
    packaged = absolute(path).is_relative_to(absolute(packaged_recipes()))
    of_a_run = RunDirectory(path.parent).recipe_file.name == path.name and RunDirectory(path.parent).env_file.exists()
    return None if packaged or of_a_run else path


def file_for(text: str) -> Path | None:
    """The file that is meant: ``mine`` is ``recipes/mine.toml``, ``a/b`` is ``a/b.toml``; None if it names none."""
    text = text.strip()
    path = Path(text).expanduser()
    if text.endswith("/") or path.name in ("", "..", ".toml"):
        return None
    if path.suffix != ".toml":
        path = path.with_name(f"{path.name}.toml")
    return path if "/" in text else saved_recipes() / path


def _about(path: Path) -> str:
    try:
        found = toml.loads(read_text(path)).get("about", "")
    except (OSError, ValueError, RecursionError):
        return "cannot be read"
    return found if isinstance(found, str) else ""
