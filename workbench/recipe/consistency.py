"""What cannot stand together in one recipe, and what a technique needs, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.recipe.errors import Problem
from workbench.recipe.registries import TECHNIQUES
from workbench.recipe.schema import Recipe


def conflicts(recipe: Recipe) -> list[Problem]:
    """Every reason why this recipe, well-formed as it is, cannot be trained; empty if it can."""
    active = recipe.active()
    problems = _groups(active)
    for technique in active:
        path = f"techniques.{technique.name}"
        problems += _between(technique, active, type(recipe.model))
        problems += [Problem(f"{path}.{key}" if key else path, text) for key, text in technique.problems(recipe)]
    problems += [Problem(f"model.{key}" if key else "model", text) for key, text in recipe.model.problems(recipe)]  # type: ignore[attr-defined]
    problems += _statistics(recipe)
    return problems


def clashes(active: Sequence[Any], model: type[Any] | None) -> list[Problem]:
    """What of it does not depend on values: groups, needs and exclusions of the techniques that are on, sorted by name.

    model: the model's class; None where nobody knows which one is meant.
    """
    return [*_groups(active), *(problem for t in active for problem in _between(t, active, model))]


def _between(technique: Any, active: Sequence[Any], model: type[Any] | None) -> list[Problem]:
    path, on = f"techniques.{technique.name}", {other.name for other in active}
    problems = []
    for need in technique.needs:
        if need.capability and model is not None and need.capability not in model.capabilities:
            lacks = f"needs a model with {need.capability}, which '{model.name}' has not: {need.why}"
            problems.append(Problem(path, lacks))
        if need.technique and TECHNIQUES.current(need.technique) not in on:
            problems.append(Problem(path, f"needs [techniques.{need.technique}]: {need.why}"))
    problems += [
        Problem(path, f"excludes [techniques.{other}]: {why}")
        for other, why in technique.excludes.items()
        if TECHNIQUES.current(other) in on
    ]
    return problems


def _groups(active: Sequence[Any]) -> list[Problem]:
    problems = []
    members: dict[str, list[str]] = {}
    for technique in active:
        members.setdefault(technique.group, []).append(technique.name)
    optimizers = members.get("optimizer", [])
    if not optimizers:
        known = [spec.name for spec in TECHNIQUES if spec.group == "optimizer"]
        problems.append(Problem("techniques", f"no optimizer; switch on one of {', '.join(known)}"))
    for group, reason in (
        ("optimizer", "a step has one optimizer"),
        ("schedule", "one schedule sets the learning rate"),
    ):
        names = members.get(group, [])
        if len(names) > 1:
            problems.append(
                Problem(f"techniques.{names[-1]}", f"{' and '.join(names)} are both on, but {reason}; switch one off")
            )
    return problems


def _statistics(recipe: Recipe) -> list[Problem]:
    problems = []
    if (recipe.data.mean is None) != (recipe.data.std is None):
        missing = "std" if recipe.data.std is None else "mean"
        problems.append(
            Problem(f"data.{missing}", "missing; give mean and std together, or neither to have them measured")
        )
    if recipe.data.std is not None and any(s <= 0 for s in recipe.data.std):
        problems.append(Problem("data.std", f"expected numbers > 0, found {list(recipe.data.std)}"))
    if recipe.data.normalise == "none" and recipe.data.mean is not None:
        problems.append(Problem("data.mean", 'given, but normalise is "none"; take one of the two out'))
    return problems
