"""Ways out of a conflict: the smallest changes of a recipe after which one problem is gone and no new one has come.

Found by trying, not by reading reasons: a technique that says what it excludes or needs has its fixes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pydantic import BaseModel, ValidationError

from workbench.format import bare
from workbench.recipe.consistency import conflicts
from workbench.recipe.difference import difference
from workbench.recipe.errors import Problem
from workbench.recipe.registries import MODELS, TECHNIQUES
from workbench.recipe.schema import Recipe


@dataclass(frozen=True)
class Fix:
    """A change that solves a problem. ``words``: as an offer, ``switch off adam``; ``recipe``: the recipe after it.

    switches: the techniques that are switched, where that is all that changes.
    """

    words: str
    recipe: Recipe
    switches: tuple[str, ...] = ()


def fixes(recipe: Recipe, problem: Problem, before: Recipe | None = None) -> list[Fix]:
    """The fixes of one problem of ``conflicts(recipe)``, the one to offer first in front; empty if none is known.

    One change that does it is all that is offered; where none does, two are tried. before: the recipe before its last
    change; a fix that only takes that change back comes last, since it was wanted a moment ago.
    """
    known = set(conflicts(recipe))
    edits = list(_edits(recipe, problem))
    found = [edit for edit in edits if _solves(edit.recipe, problem, known)]
    if not found:
        found = [both for both in _pairs(recipe, edits) if _solves(both.recipe, problem, known)]
    if before is not None:
        found.sort(key=lambda fix: not difference(before, fix.recipe))
    return found


def _solves(changed: Recipe, problem: Problem, known: set[Problem]) -> bool:
    after = set(conflicts(changed))
    return problem not in after and after <= known


def _edits(recipe: Recipe, problem: Problem) -> Iterator[Fix]:
    """Single changes: switches off (what the problem names last), resets, switches on, other models."""
    parts = problem.path.split(".")
    named = parts[1] if parts[0] == "techniques" and len(parts) > 1 else ""
    if len(parts) > (2 if named else 1):
        yield from _resets(recipe, parts)
    for technique in sorted(recipe.active(), key=lambda t: t.name == named):
        yield _off(recipe, technique.name)
    for spec in TECHNIQUES:
        if not recipe.on(spec.name):
            try:
                present = recipe.techniques.get(spec.name) or spec()
            except ValidationError:  # it has parameters without a default
                continue
            switched = present.model_copy(update={"enabled": True})
            yield Fix(f"switch on {spec.name}", recipe.with_technique(switched), (spec.name,))
    for model in MODELS:
        if model.name != recipe.model.name:
            try:
                yield Fix(f"take the model {model.name}", recipe.model_copy(update={"model": model()}))
            except ValidationError:
                continue


def _off(recipe: Recipe, name: str) -> Fix:
    switched: Any = recipe.techniques[name].model_copy(update={"enabled": False})
    return Fix(f"switch off {name}", recipe.with_technique(switched), (name,))


def _resets(recipe: Recipe, parts: Sequence[str]) -> Iterator[Fix]:
    """Each parameter of the problem's table back to its default, the one that the problem names first."""
    table: BaseModel = recipe.techniques[parts[1]] if parts[0] == "techniques" else getattr(recipe, parts[0])
    place = parts[1] if parts[0] == "techniques" else parts[0]
    for key, info in sorted(type(table).model_fields.items(), key=lambda item: item[0] != parts[-1]):
        if key == "enabled" or info.is_required() or getattr(table, key) == info.default:
            continue
        reset: Any = table.model_copy(update={key: info.default})
        changed = recipe.with_technique(reset) if parts[0] == "techniques" else recipe.model_copy(update={place: reset})
        words = f"leave out {place}.{key}" if info.default is None else f"set {place}.{key} to {bare(info.default)}"
        yield Fix(words, changed)


def _pairs(recipe: Recipe, edits: Sequence[Fix]) -> Iterator[Fix]:
    """Two techniques that are on, both switched off."""
    on = [fix.switches[0] for fix in edits if fix.switches and recipe.on(fix.switches[0])]
    for first, second in combinations(on, 2):
        yield Fix(f"switch off {first} and {second}", _off(_off(recipe, first).recipe, second).recipe, (first, second))
