"""What distinguishes two recipes, key by key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workbench.format import bare
from workbench.recipe.parameters import parameters
from workbench.recipe.schema import Recipe, to_tables

ABSENT = "—"


@dataclass(frozen=True)
class Change:
    """One key whose value differs. A technique that is on in one only is a single change of its table."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {bare(self.before)} → {bare(self.after)}"


def difference(before: Recipe, after: Recipe, *, names: bool = False) -> list[Change]:
    """The changes that lead from one recipe to another; what changes no number of a run only counts with ``names``."""
    ignored = set() if names else {"name", "about", "checks", "expect"}
    left, right = _flat(before), _flat(after)
    changes = []
    for path in sorted(left.keys() | right.keys(), key=_order):
        if path.split(".")[0] in ignored:
            continue
        if left.get(path, ABSENT) != right.get(path, ABSENT):
            changes.append(Change(path, left.get(path, ABSENT), right.get(path, ABSENT)))
    return changes


def _flat(recipe: Recipe) -> dict[str, Any]:
    tables = to_tables(recipe)
    techniques, checks = tables.pop("techniques"), tables.pop("checks", {})
    flat = dict(_leaves("", tables))
    for name, values in techniques.items():
        if values.get("enabled", True):
            flat[f"techniques.{name}"] = "on"
            flat |= dict(_leaves(f"techniques.{name}", values))
    for name, values in checks.items():  # one that a recipe says nothing of is made with the defaults
        usual = {key: parameter.default for key, parameter in parameters(type(recipe.checks[name])).items()}
        flat |= {f"checks.{name}.{key}": value for key, value in values.items() if value != usual[key]}
    return flat


def _leaves(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _leaves(path, value)
        else:
            yield path, value


def _order(path: str) -> tuple[int, str]:
    sections = ("name", "about", "seed", "plugins", "data", "model", "train", "techniques", "checks", "expect")
    head = path.split(".")[0]
    return (sections.index(head) if head in sections else -1, path)
