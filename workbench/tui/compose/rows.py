"""The lines of the list of Compose: a recipe's parts, techniques and checks, with their parameters in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.format import bare, percent
from workbench.recipe import Change, Problem, Recipe
from workbench.recipe.parameters import Parameter, parameters
from workbench.recipe.registries import CHECKS, TECHNIQUES
from workbench.recipe.specs import Spec, Table
from workbench.techniques.base import GROUPS

BETWEEN = " · "
NOTHING: tuple[Any, ...] = (None, "", "nothing", "none", "off")
"""Values that stand for something that is off."""


@dataclass(frozen=True)
class Values:
    """``own``: what was chosen, by name; ``usual``: what has its default. Either may be empty."""

    own: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()

    def __str__(self) -> str:
        return BETWEEN.join(self.own + self.usual)


NONE = Values()


def values(spec: Any, leave_out: tuple[str, ...] = ()) -> Values:
    """What a spec has for its parameters, each as ``momentum 0.9``; no word for a default that stands for nothing."""
    own: list[str] = []
    usual: list[str] = []
    for name, parameter in parameters(type(spec)).items():
        value = getattr(spec, name)
        if name in ("enabled", *leave_out):
            continue
        if parameter.required or value != parameter.default:
            own.append(_words(parameter, value))
        elif value not in NOTHING and value != 0:  # False, too
            usual.append(_words(parameter, value))
    return Values(tuple(own), tuple(usual))


def _words(parameter: Parameter, value: Any) -> str:
    if parameter.kind == "switch":
        return parameter.label if value else f"no {parameter.label}"
    if value is None:
        return f"no {parameter.label}"
    return f"{parameter.label} {short(value)}"


def short(value: Any) -> str:
    """A value as people write it: ``5e-4``, ``16, 32, 64``, ``norms and biases``."""
    if isinstance(value, tuple | list):
        return ", ".join(map(short, value))
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return bare(value).replace("_", " ") if isinstance(value, str) else bare(value)


def fitting(found: Values, room: int) -> tuple[str, str]:
    """Own and usual values as far as they have room, each of them whole; a ``…`` stands for the rest."""
    entries = found.own + found.usual
    whole = next((n for n in range(len(entries), 0, -1) if _length(entries, n) <= room), 0)
    if not whole:
        return "", ""
    own, usual = entries[: min(whole, len(found.own))], entries[len(found.own) : whole]
    rest = BETWEEN.rstrip() + "…" if whole < len(entries) else ""
    first = BETWEEN.join(own)
    second = (BETWEEN if own and usual else "") + BETWEEN.join(usual)
    return (first, second + rest)


def _length(entries: tuple[str, ...], count: int) -> int:
    rest = len(BETWEEN.rstrip()) + 1 if count < len(entries) else 0
    return len(BETWEEN.join(entries[:count])) + rest


SAID = ("source", "batch_size", "epochs")
"""Parameters that a line of the recipe's parts says in its first words."""


@dataclass(frozen=True)
class Row:
    """One line. ``place`` is what it stands for (``data``, ``techniques.sgd``, ``checks.fit``, …), "" for a heading.

    on: None for what cannot be switched. values: the parameters in a few words; none for what is off.
    wrong: it takes part in a conflict.
    """

    label: str
    place: str = ""
    on: bool | None = None
    values: Values = NONE
    wrong: bool = False
    changed: bool = False


def rows(recipe: Recipe, problems: Sequence[Problem], changes: Sequence[Change], wanted: str = "") -> list[Row]:
    """All lines, or those that a filter text is found in, under the headings that still have any.

    Names and groups come first: cards are searched only where no name or group has the words.
    """
    wrong = {_place(p.path) for p in problems}
    changed = {_place(c.path) for c in changes}
    if recipe.name and any(c.path == "seed" for c in changes):
        changed.add("recipe")
    sections = [("", _parts(recipe)), *_techniques(recipe), *_checks(recipe)]
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
    return ".".join(parts[:2]) if parts[0] in ("techniques", "checks") else parts[0]


def _matches(wanted: str, text: str) -> bool:
    text = text.lower().replace("_", " ")
    return all(word in text for word in wanted.lower().replace("_", " ").split())


def _parts(recipe: Recipe) -> list[tuple[Row, str]]:
    data, train, expect = recipe.data, recipe.train, recipe.expect
    epochs = "epoch" if train.epochs == 1 else "epochs"
    parts = [
        Row("name", "recipe", values=Values((recipe.name, f"seed {recipe.seed}"))),
        Row("data", "data", values=_named(data.source, f"batch {data.batch_size}", recipe.data_source, data)),
        Row("model", "model", values=_named(recipe.model.name, "", recipe.model)),
        Row("train", "train", values=_named(f"{train.epochs:g} {epochs}", "", train)),
    ]
    if expect.accuracy or expect.parameters:
        claims = [f"{100 * expect.accuracy[0]:.1f}–{percent(expect.accuracy[1], 1)}"] if expect.accuracy else []
        claims += [f"{expect.parameters:,} parameters"] if expect.parameters else []
        parts.append(Row("expect", "expect", values=Values(tuple(claims))))
    return [(row, str(row.values)) for row in parts]


def _named(first: str, second: str, *specs: Spec | Table) -> Values:
    """What a part is first of all, then its own values; defaults only of the specs that have a name."""
    found = [values(spec, SAID) for spec in specs]
    usual = [word for spec, v in zip(specs, found, strict=True) if isinstance(spec, Spec) for word in v.usual]
    own = [word for v in found for word in v.own]
    return Values(tuple(filter(None, (first, second, *own))), tuple(usual))


def _techniques(recipe: Recipe) -> list[tuple[str, list[tuple[Row, str]]]]:
    groups: dict[str, list[tuple[Row, str]]] = {group: [] for group in GROUPS}
    for spec in TECHNIQUES:
        on = recipe.on(spec.name)
        found = values(recipe.techniques[spec.name]) if on else NONE
        row = Row(spec.name, f"techniques.{spec.name}", on=on, values=found)
        groups.setdefault(spec.group, []).append((row, spec.summary()))
    return [(group, members) for group, members in groups.items() if members]


def _checks(recipe: Recipe) -> list[tuple[str, list[tuple[Row, str]]]]:
    moments: dict[str, list[tuple[Row, str]]] = {"before": [], "during": [], "after": []}
    for kind in CHECKS:
        spec: Any = recipe.checks.get(kind.name) or kind()
        row = Row(kind.name, f"checks.{kind.name}", on=spec.enabled, values=values(spec) if spec.enabled else NONE)
        moments[kind.when].append((row, f"{kind.title} {kind.summary()}"))
    return [(f"checks {moment} the run", members) for moment, members in moments.items()]
