"""The lines of the technique list: the parts of a recipe, then every technique by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.recipe import Change, Problem, Recipe
from workbench.recipe.parameters import parameters
from workbench.recipe.registries import TECHNIQUES
from workbench.techniques.base import GROUPS
from workbench.tui.forms import shown


@dataclass(frozen=True)
class Row:
    """One line. ``place`` is what it stands for (``data``, ``techniques.sgd``, …) and "" for a heading.

    on: None for what cannot be switched. values: the parameters in a few words. wrong: it takes part in a conflict.
    """

    label: str
    place: str = ""
    on: bool | None = None
    values: str = ""
    wrong: bool = False
    changed: bool = False

    @property
    def technique(self) -> str:
        """The technique's name; "" for other lines."""
        return self.place.removeprefix("techniques.") if self.place.startswith("techniques.") else ""


def rows(recipe: Recipe, problems: Sequence[Problem], changes: Sequence[Change], wanted: str = "") -> list[Row]:
    """All lines, or those that a filter text is found in, under the headings that still have any.

    Names and groups come first: cards are searched only where no name or group has the words.
    """
    wrong = {_place(p.path) for p in problems}
    changed = {_place(c.path) for c in changes}
    if recipe.name and any(c.path == "seed" for c in changes):
        changed.add("recipe")
    sections = [("", _parts(recipe)), *_techniques(recipe)]
    by_name = any(_matches(wanted, f"{heading} {r.label}") for heading, members in sections for r, _ in members)
    found: list[Row] = []
    for heading, members in sections:
        kept = [
            Row(r.label, r.place, r.on, r.values, r.place in wrong, r.place in changed)
            for r, text in members
            if _matches(wanted, f"{heading} {r.label}" if by_name else f"{heading} {r.label} {text}")
        ]
        if kept:
            found += [Row(heading), *kept] if heading else kept
    return found


def _place(path: str) -> str:
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] == "techniques" else parts[0]


def _matches(wanted: str, text: str) -> bool:
    text = text.lower().replace("_", " ")
    return all(word in text for word in wanted.lower().replace("_", " ").split())


def _parts(recipe: Recipe) -> list[tuple[Row, str]]:
    data, train = recipe.data, recipe.train
    epochs = "epoch" if train.epochs == 1 else "epochs"
    parts = [
        Row("name", "recipe", values=f"{recipe.name}  seed {recipe.seed}"),
        Row("data", "data", values=f"{data.source}  batch {data.batch_size}"),
        Row("model", "model", values=f"{recipe.model.name}  {summary(recipe.model)}".rstrip()),
        Row("train", "train", values=f"{train.epochs:g} {epochs}"),
    ]
    if recipe.expect.accuracy or recipe.expect.parameters:
        claims = [f"{recipe.expect.parameters:,} parameters"] if recipe.expect.parameters else []
        claims += [f"{recipe.expect.accuracy[0]:.1%}–{recipe.expect.accuracy[1]:.1%}"] if recipe.expect.accuracy else []
        parts.append(Row("expect", "expect", values="  ".join(claims)))
    return [(row, row.values) for row in parts]


def _techniques(recipe: Recipe) -> list[tuple[str, list[tuple[Row, str]]]]:
    groups: dict[str, list[tuple[Row, str]]] = {group: [] for group in GROUPS}
    for card in TECHNIQUES:
        present = recipe.techniques.get(card.name)
        row = Row(card.name, f"techniques.{card.name}", on=recipe.on(card.name), values=summary(present or card))
        groups.setdefault(card.group, []).append((row, card.summary()))
    return [(group, members) for group, members in groups.items() if members]


def summary(card: object) -> str:
    """A card's values (a class's defaults) in their order: numbers and texts as they are, switches by name if on."""
    kind = card if isinstance(card, type) else type(card)
    words = []
    for name, parameter in parameters(kind).items():
        value = parameter.default if isinstance(card, type) else getattr(card, name)
        if name == "enabled" or value is None or value == "":
            continue
        if parameter.kind == "switch":
            words += [name] if value else []
        else:
            words.append(shown(value))
    return " ".join(words)
