"""Which columns say something of the runs there are, which were asked for, and which of them fit a width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.format import bare
from workbench.runs.find.catalog import Entry
from workbench.runs.find.fields import Field
from workbench.runs.find.fields import cell as shown_cell
from workbench.runs.find.groups import Group
from workbench.runs.find.keys import value_of
from workbench.runs.find.varying import Varying, in_short, titles
from workbench.tui.common.words import cut, cut_apart
from workbench.tui.runs.columns import COLUMNS, Cell, Column, Context

LONGEST_TITLE = 13
"""Cells for the name of a key; longer ones are cut."""

REST = 9
"""Cells at least for what is said in words of the keys that have no room."""

LATE = 4.0
"""The priority of the age: what comes later is dispensable."""

FIRST_KEYS = 3
"""So many keys come before a run's time and age, which come before the others."""

WIDEST = 16
"""Cells for the values of a key; longer ones are cut."""


def possible(entries: Sequence[Entry], differs: Varying, context: Context) -> tuple[Column, ...]:
    """The columns that say something of these rows: the fixed ones, and one for each key in which they differ.

    Where there are several recipes, a column says in words how each run differs from its own, or from the baseline:
    techniques stand there.
    """
    groups = [entry for entry in entries if isinstance(entry, Group)]
    several = len(entries) > 1 and not groups
    known = [entry.status for entry in entries if entry.status is not None]
    one_recipe = "recipe" not in differs.fields and bool(differs.common)
    says = {
        "recipe": not one_recipe or bool(groups) or not several,
        "best": any(status.best is not None for status in known),
        "device": "device" in differs.fields,
        "seed": not several or "seed" in differs.fields,
        "tags": any(entry.notes.tags for entry in entries),
    }  # fmt: skip
    found = []
    for column in COLUMNS:
        if not says.get(column.key, True) or (column.only_with_baseline and context.baseline is None):
            continue
        if column.key == "recipe":
            column = _recipe_column(column, entries, context, one_recipe=one_recipe and bool(groups))
        if column.key == "seed" and several and "seed" in differs.fields:
            column = replace(column, priority=3.5)
        if groups and column.key in ("state", "test", "best", "loss", "time"):
            column = replace(column, width=max(column.width, *(len(column.cell(g, context)[0]) for g in groups)))
        if column.key == "difference":
            others = len(entries) < 2 or "recipe" in differs.fields
            found += key_columns([key for key in differs.keys if "." in key or not others], entries)
            if not others and differs.common:
                column = replace(column, instead=True, width=REST)
        found.append(column)
    return tuple(found)


def _recipe_column(column: Column, entries: Sequence[Entry], context: Context, *, one_recipe: bool) -> Column:
    """As wide as the longest name; where all have one recipe, how many runs a line stands for."""
    if not one_recipe:
        longest = max((len(column.cell(entry, context)[0]) for entry in entries), default=0)
        return replace(column, width=min(column.width, max(6, longest)), most=longest)

    def cell(entry: Entry, context: Context) -> Cell:
        words, style = column.cell(entry, context)
        return (f"×{len(entry.members)}" if isinstance(entry, Group) else "" if words == entry.recipe else words), style

    width = max(len("runs"), *(len(cell(entry, context)[0]) for entry in entries))
    return replace(column, title="runs", width=width, share=0, cell=cell, sort="")


def sorted_in_sight(columns: Sequence[Column], sort: str) -> tuple[Column, ...]:
    """The same, that by which the table is sorted among those that have room first."""
    first = next((column for column in columns if column.sort == sort), None)
    return tuple(replace(c, priority=min(c.priority, 0.9)) if c is first else c for c in columns)


def key_columns(keys: Sequence[str], entries: Sequence[Entry]) -> list[Column]:
    """A column for each key of the recipes, the first the longest in sight."""
    return [
        _key_column(name, (key,), entries, 1.1 + place / 100 if place < FIRST_KEYS else 4.1 + place / 1000)
        for place, (key, name) in enumerate(zip(keys, _titles(keys), strict=True))
    ]


def _titles(keys: Sequence[str]) -> list[str]:
    return cut_apart(titles(keys), [LONGEST_TITLE] * len(keys))


def chosen(names: Sequence[tuple[str, Field | tuple[str, ...]]], entries: Sequence[Entry]) -> tuple[Column, ...]:
    """The columns that somebody asked for, in that order, after the run's sign."""
    own = {column.sort: column for column in reversed(COLUMNS) if column.sort and not column.only_with_baseline}
    found = [COLUMNS[0]]
    for place, (name, by) in enumerate(names):
        priority = 0.5 + place / 100
        if isinstance(by, Field) and by.name in own:
            found.append(replace(own[by.name], priority=priority))
        elif isinstance(by, Field):
            found.append(_field_column(name, by, entries, priority))
        else:
            found.append(_key_column(name.rpartition(".")[2] if len(by) > 1 else titles(by)[0], by, entries, priority))
    return tuple(found)


def _key_column(name: str, paths: tuple[str, ...], entries: Sequence[Entry], priority: float) -> Column:
    def cell(entry: Entry, context: Context) -> Cell:
        value = value_of(entry.keys, paths)
        if value is None:  # a technique that is off, or one of its values
            return ("–" if "." not in paths[0] else ""), "quiet"
        return bare(value), "text"

    values = {value_of(entry.keys, paths) for entry in entries} - {None}
    width = max(min(LONGEST_TITLE, len(name)) + 1, *(min(WIDEST, len(bare(value))) for value in values), 2)
    right = bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return Column(paths[0], cut(name, LONGEST_TITLE), width, priority, cell, paths[0], right=right, of_key=True)


def _field_column(name: str, by: Field, entries: Sequence[Entry], priority: float) -> Column:
    def cell(entry: Entry, context: Context) -> Cell:
        return shown_cell(entry, by, context.now), "text"

    now = max((entry.created for entry in entries), default=0.0)
    width = max(len(name) + 1, *(min(2 * WIDEST, len(shown_cell(entry, by, now))) for entry in entries), 2)
    return Column(by.name, name, width, priority, cell, by.name, right=by.kind != "text")


def fitting(width: int, possible: Sequence[Column]) -> list[tuple[Column, int]]:
    """The columns that fit, in their order, with their widths; a space stands between two of them.

    Where not all keys have room beside a run's time and age, those of techniques, which are long, give way to words.
    """
    words = next((column for column in possible if column.instead), None)
    if words is None:
        return _spread(_chosen(width, possible), width)
    plain = [column for column in possible if column is not words]
    found = _chosen(width, plain)
    if not all(column in found for column in plain if column.of_key or column.priority <= LATE):
        tight = [replace(c, priority=c.priority + LATE) if c.of_key and "." not in c.key else c for c in possible]
        some = _chosen(width, tight)
        if hidden := [column.key for column in tight if column.of_key and column not in some]:
            found = [_rest(column, hidden) if column is words else column for column in some]
    return _spread(found, width)


def _chosen(width: int, possible: Sequence[Column]) -> list[Column]:
    chosen: list[Column] = []
    for column in sorted(possible, key=lambda column: column.priority):
        if column.priority and _needed([*chosen, column]) > width:
            break  # what matters less does not overtake it
        chosen.append(column)
    return [column for column in possible if column in chosen]


def _spread(chosen: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    room = max(0, width - _needed(chosen))
    shares = sum(column.share for column in chosen)
    found = []
    for column in chosen:
        wider = column.width + (room * column.share // shares if shares else 0)
        found.append((column, min(wider, max(column.width, column.most)) if column.most else wider))
    return found


def _rest(column: Column, keys: Sequence[str]) -> Column:
    """A column that says in words what those would that have no room, as far as a run is not as most are."""

    def cell(entry: Entry, context: Context) -> Cell:
        return in_short(entry, [key for key in keys if entry.keys.get(key) != context.usual.get(key)]), "text"

    return replace(column, title="also", cell=cell)


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width + 1 for column in columns) - 1
