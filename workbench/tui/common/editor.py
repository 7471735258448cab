"""The recipe that is being composed: where it came from, what was changed, and the way back."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from workbench.recipe import Change, Expect, Problem, Recipe, conflicts, difference, write_over
from workbench.recipe.fixes import Fix, fixes
from workbench.recipe.registries import CHECKS, TECHNIQUES
from workbench.storage.regular import read_text

HISTORY = 200


class Editor:
    """A recipe with undo and redo. ``loaded`` is what changes are counted against, ``path`` where saving writes.

    ``on_disk`` is the recipe as it was last read or written. ``text``: the TOML that a person has written for it since
    then, whose comments saving keeps; "" where nobody has. ``draft``: one with mistakes, which is no recipe yet.
    ``origin``: the file that it was read from, which saving leaves alone where it is not ``path``.
    """

    def __init__(self, recipe: Recipe, path: Path | None = None, origin: Path | None = None) -> None:
        self.open(recipe, path, origin)

    def open(self, recipe: Recipe, path: Path | None, origin: Path | None = None) -> None:
        """Start over with another recipe; ``path`` is None where it may not be written back."""
        self.recipe = recipe
        self.loaded = recipe
        self.path = path
        self.origin = path or origin
        self.on_disk = recipe
        self.text = self.draft = ""
        self._undo: list[Recipe] = []
        self._redo: list[Recipe] = []

    @property
    def unsaved(self) -> bool:
        """Whether the recipe differs from what is on disk, or somebody has written comments that are not there."""
        return self.recipe != self.on_disk or bool(self.text)

    def toml(self) -> str:
        """The recipe as TOML, with the comments and in the order of what was written of it so far. Reads its file."""
        return write_over(self.recipe, self.text or _text_of(self.origin))

    def take(self, text: str, recipe: Recipe) -> list[Change]:
        """Take a TOML text that a person wrote, and the recipe that it is; returns what it changes."""
        found = difference(self.recipe, recipe, names=True)
        self.change(recipe)
        self.draft = ""
        if self.toml() != text:
            self.text = text
        return found

    def saved(self, recipe: Recipe, path: Path) -> None:
        """The recipe was written to a file."""
        self.recipe = self.on_disk = recipe
        self.path = self.origin = path
        self.text = ""

    def restore(self, recipe: Recipe, on_disk: Recipe) -> None:
        """Take up an earlier session: the recipe as it was left, and what its file holds."""
        self.recipe, self.on_disk = recipe, on_disk
        self._undo = [self.loaded] if recipe != self.loaded else []

    def change(self, recipe: Recipe) -> bool:
        """Take a new version; False if it is the same as before."""
        if recipe == self.recipe:
            return False
        self._undo = [*self._undo[-HISTORY:], self.recipe]
        self._redo.clear()
        self.recipe = recipe
        return True

    @property
    def changed(self) -> bool:
        """Whether there is a change that can be undone."""
        return bool(self._undo)

    def undo(self) -> bool:
        """Go back one change; False if there is none."""
        if not self._undo:
            return False
        self._redo.append(self.recipe)
        self.recipe = self._undo.pop()
        return True

    def redo(self) -> bool:
        """Take back an undo; False if there is none."""
        if not self._redo:
            return False
        self._undo.append(self.recipe)
        self.recipe = self._redo.pop()
        return True

    def toggle(self, name: str) -> bool:
        """Switch a technique on or off; False if it cannot be switched on before its parameters are given.

        Switching off keeps a table in the file only where it holds something: parameters that are not the defaults, or
        a table that the loaded recipe has too.
        """
        toggled = self._toggled(self.recipe, name)
        return toggled is not None and self.change(toggled)

    def _toggled(self, recipe: Recipe, name: str) -> Recipe | None:
        present = recipe.techniques.get(name)
        if present is None:
            try:
                return recipe.with_technique(TECHNIQUES[name]())
            except ValidationError:
                return None
        on = recipe.on(name)
        switched = present.model_copy(update={"enabled": not on})
        if on and name not in self.loaded.techniques and _is_default(switched.model_copy(update={"enabled": True})):
            return recipe.without_technique(name)
        return recipe.with_technique(switched)

    def toggle_check(self, name: str) -> bool:
        """Switch a check on or off; one that is as it always is has no place in the recipe."""
        usual = CHECKS[name]()
        present = self.recipe.checks.get(name, usual)
        return self.change(self.recipe.with_check(present.model_copy(update={"enabled": not present.enabled})))

    def fixes(self, problem: Problem) -> list[Fix]:
        """What would solve a conflict; what only takes back the last change comes last."""
        return fixes(self.recipe, problem, self._undo[-1] if self._undo else None)

    def fix(self, fix: Fix) -> None:
        """Solve a conflict, as one change."""
        recipe: Recipe | None = self.recipe
        for name in fix.switches:
            recipe = self._toggled(recipe, name) if recipe is not None else None
        self.change(recipe if fix.switches and recipe is not None else fix.recipe)

    @property
    def old_claims(self) -> str:
        """What the claims of the loaded recipe still speak of, where that was changed; "" where they may stand."""
        now, before = self.recipe, self.loaded
        if now.expect == Expect() or now.expect != before.expect:
            return ""
        if now.model != before.model:
            return "another model"
        same = now.data.source == before.data.source and now.data_source == before.data_source
        return "" if same else "other data"

    def changes(self) -> list[Change]:
        """What differs from the recipe as loaded."""
        return [change for change in difference(self.loaded, self.recipe, names=True) if change.path != "name"]

    def conflicts(self) -> list[Problem]:
        """Every reason why the recipe cannot be trained."""
        return conflicts(self.recipe)


def _text_of(path: Path | None) -> str:
    try:
        return read_text(path) if path is not None else ""
    except (OSError, ValueError):
        return ""


def _is_default(spec: object) -> bool:
    try:
        return spec == type(spec)()
    except ValidationError:
        return False
