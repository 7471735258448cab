"""The recipes that can be opened by name: which ones some words mean, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.content import Content

from workbench.format import percent, short
from workbench.paths import natural, packaged_recipes, recipe_folders
from workbench.recipe import Recipe, RecipeError, read_recipe_file
from workbench.recipe.measured import in_words, measurements, on_what, seeds
from workbench.runs.find.trained import Trained
from workbench.tui.common.texts import MUTED, Part
from workbench.tui.common.words import cut, large, place

BY_ABOUT = "in what is said of them"
"""The heading of recipes that only their description names."""
BETWEEN = "  "
WIDE = 110
"""Cells from which on there is room for claims and measurements in the list."""


@dataclass(frozen=True)
class RecipeFile:
    """A recipe in one of the known folders; ``kind`` is that of the place, ``"saved"`` or ``"packaged"``.

    recipe: None where the file cannot be read, for the reason in ``problem``. measured, on: the longest training that
    was measured of it, in words, and on what.
    """

    name: str
    path: Path
    kind: str
    recipe: Recipe | None = None
    problem: str = ""
    measured: str = ""
    on: str = ""

    @property
    def about(self) -> str:
        """What it is, in its own words."""
        return self.recipe.about if self.recipe is not None else "cannot be read"

    @property
    def parameters(self) -> int | None:
        """How many its source claims that it has."""
        return self.recipe.expect.parameters if self.recipe is not None else None

    @property
    def claim(self) -> str:
        """What its source claims, in a few words."""
        return self.recipe.expect.claim if self.recipe is not None else ""


def recipe_files() -> list[RecipeFile]:
    """Saved recipes first, then packaged ones, each in natural order; broken files say so."""
    measured = measurements(packaged_recipes())
    return [
        _read(name, path, folder.kind, measured.get(name, []) if folder.kind == "packaged" else [])
        for folder in recipe_folders()
        for name, path in sorted(folder.recipes.items(), key=lambda item: natural(item[0]))
    ]


def _read(name: str, path: Path, kind: str, measured: list[dict[str, Any]]) -> RecipeFile:
    try:
        recipe = read_recipe_file(path, consistent=False)
    except RecipeError as error:
        return RecipeFile(name, path, kind, problem=str(error.problems[0]))
    if not measured:
        return RecipeFile(name, path, kind, recipe)
    words = f"{in_words(measured[0], recipe.train.epochs)}; seeds {seeds(measured[0])}"
    return RecipeFile(name, path, kind, recipe, measured=words, on=on_what(measured[0]))


def found(files: Sequence[RecipeFile], wanted: str) -> list[tuple[str, list[RecipeFile]]]:
    """The recipes that some words mean, under headings: those with the words in their names first, whole names before
    beginnings before the rest; then those that are described so.
    """
    words = wanted.lower().split()
    named = [file for file in files if all(word in file.name.lower() for word in words)]
    described = [file for file in files if file not in named and all(word in _described(file) for word in words)]
    typed = " ".join(words)
    named.sort(key=lambda file: (file.name.lower() != typed, not file.name.lower().startswith(typed)) if typed else ())
    sections: dict[str, list[RecipeFile]] = {}
    for file in named:
        sections.setdefault(f"{file.kind}{BETWEEN}{place(file.path.parent, 60)}", []).append(file)
    if described:
        sections[BY_ABOUT] = described
    return list(sections.items())


def _described(file: RecipeFile) -> str:
    recipe = file.recipe
    also = (recipe.data.source, recipe.model.name) if recipe is not None else ()
    return " ".join((file.name, file.about, file.kind, *also)).lower()


def heading(width: int) -> str:
    """What stands in the columns of :func:`line`; "" where they need no name."""
    if width < WIDE:
        return ""
    return BETWEEN.join(
        ("", f"{'':<16}", f"{'parameters':>11}", f"{'claim':<24}", f"{'measured here':<28}", "what it is")
    )


def line(file: RecipeFile, width: int) -> Content:
    """A recipe in one line of some cells: with claim and measurement where they have room."""
    name: Part = (f"  {cut(file.name, 16):<16}", "bold")
    count = file.parameters
    if width < WIDE:
        figures: list[Part] = [(f" {large(count) if count else '':>7}", MUTED)]
        used = 16 + 2 + 8
    else:
        measured = file.measured.partition(";")[0]
        cells = (f"{count or '':>11,}" if count else " " * 11, f"{cut(file.claim, 24):<24}", f"{cut(measured, 28):<28}")
        figures = [(BETWEEN + cells[0], MUTED), BETWEEN + cells[1], (BETWEEN + cells[2], "$primary")]
        used = 16 + 2 + sum(len(cell) + 2 for cell in cells)
    about = cut(file.about, max(0, width - used - 2))
    return Content.assemble(name, *figures, (BETWEEN + about, "$error" if file.recipe is None else MUTED))


def details(file: RecipeFile, trained: Sequence[Trained]) -> Content:
    """All that is known of a recipe. trained: runs of the same in the folder of runs, newest first."""
    recipe = file.recipe
    if recipe is None:
        return Content.styled(f"✗ {file.problem}", "$error")
    epochs = f"{short(recipe.train.epochs)} {'epoch' if recipe.train.epochs == 1 else 'epochs'}"
    parts: list[Part] = [f"{recipe.about}\n" if recipe.about else "", (f"{recipe.data.source} · ", MUTED)]
    parts += [(f"{recipe.model.name} · {epochs}", MUTED)]
    parts += [(" · ", MUTED), (f"{file.parameters:,}", "$primary"), (" parameters", MUTED)] if file.parameters else []
    if file.claim:
        source = f"  {recipe.expect.source}" if recipe.expect.source else ""
        parts += [("\nclaim ", "bold"), file.claim, (source, MUTED)]
    if trained:
        reached = f", {percent(trained[0].accuracy)}" if trained[0].accuracy is not None else ""
        more = f" and {len(trained) - 1} more" if len(trained) > 1 else ""
        parts += [("\ntrained ", "bold"), (f"run {trained[0].digits}{reached}{more}", "$primary")]
    if file.measured:
        parts += [("\nmeasured here ", "bold"), (file.measured, "$primary"), (f"  on {file.on}", MUTED)]
    return Content.assemble(*parts)
