"""The table of ``workbench runs``: the columns that were asked for, or those in which the runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.commands.output import on_terminal, say, say_table, terminal_width
from workbench.format import UNKNOWN, bare
from workbench.recipe.errors import InputError
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Entry
from workbench.runs.find.fields import FIELDS, Field, cell, field
from workbench.runs.find.groups import Group
from workbench.runs.find.keys import Vocabulary, value_of
from workbench.runs.find.query import Query
from workbench.runs.find.varying import Varying, in_common, titles, varying

By = Field | tuple[str, ...]
Column = tuple[str, By]
"""Its title, and what stands in it."""

TITLES = {"name": "run", "acc": "test", "tag": "tags", "speed": "images/s"}


def chosen(text: str, vocabulary: Vocabulary) -> list[Column]:
    """The columns of ``--columns``, separated by commas. Raises InputError with the nearest name."""
    try:
        return [(name, field(name, vocabulary)) for part in text.split(",") if (name := part.strip())]
    except RunError as error:
        raise InputError(f"--columns: {error}") from None


def values(entry: Entry, columns: Sequence[Column], now: float) -> dict[str, Any]:
    """What stands in the columns, as plain values; nothing where none were asked for."""
    if not columns:
        return {}
    found = {name: by.read(entry, now) if isinstance(by, Field) else value_of(entry.keys, by) for name, by in columns}
    return {"columns": found}


def say_runs(found: Sequence[Entry], columns: Sequence[Column], now: float, query: Query) -> None:
    """Print the runs that a query found; on a terminal what all have in common above them."""
    runs = [m for entry in found for m in (entry.members if isinstance(entry, Group) else (entry,))]
    differences = varying(runs)
    if not columns:
        common = in_common(differences, query, runs)
        if common and on_terminal():  # piped, only the table: its rows alone, with their recipe
            say(f"all: {' · '.join(common)}")
        columns = _of_interest(found, differences, now)
    say_table([name for name, _ in columns], [[_cell(entry, by, now) for _, by in columns] for entry in found])


def _of_interest(found: Sequence[Entry], differences: Varying, now: float) -> list[Column]:
    """State, name and result, the keys that tell the runs apart, as many as the terminal has room for, and the age."""
    groups = any(isinstance(entry, Group) for entry in found)
    names = ["state", "name"]
    if groups or len(found) == 1 or "recipe" in differences.fields or not on_terminal():
        names.append("recipe")
    names.append("acc")
    if any(entry.status and entry.status.best is not None for entry in found):
        names.append("best")
    before = [(TITLES.get(name, name), FIELDS[name]) for name in names]
    after: list[Column] = [("seed", FIELDS["seed"])] if "seed" in differences.fields and not groups else []
    after.append(("time", FIELDS["time"]) if groups else ("step", FIELDS["step"]))
    after += [("device", FIELDS["device"])] if "device" in differences.fields else []
    after.append(("age", FIELDS["age"]))
    if any(entry.notes.tags for entry in found):
        after.append(("tags", FIELDS["tag"]))
    keys: list[Column] = [(name, (key,)) for key, name in
                          zip(differences.keys, titles(differences.keys), strict=True)]  # fmt: skip
    order = [*before, *keys, *after]
    if not on_terminal():
        return order
    needed: list[Column] = [
        column for column in before if column[0] != "best" and not (groups and column[0] == TITLES["name"])
    ]
    room = terminal_width() - sum(_width(found, column, now) + 2 for column in needed)
    rest = [column for column in order if column not in needed]
    for column in sorted(rest, key=lambda column: _late(column, keys)):
        room -= _width(found, column, now) + 2
        if room < -2:  # no space stands after the last one
            break
        needed.append(column)
    return [column for column in order if column in needed]


def _late(column: Column, keys: Sequence[Column]) -> int:
    """What comes first where not all have room: three keys, the seed, how far a run is; a group's name last."""
    if column in keys:
        return 0 if column in keys[:3] else 3
    return {"seed": 1, "step": 2, "time": 2, "age": 4, "tags": 5, "best": 6, "device": 7}.get(column[0], 8)


def _width(found: Sequence[Entry], column: Column, now: float) -> int:
    return max(len(column[0]), *(len(_cell(entry, column[1], now)) for entry in found))


def _cell(entry: Entry, by: By, now: float) -> str:
    if isinstance(by, Field):
        if by.name == "step":
            status = entry.status
            return f"{status.step:,}/{status.steps:,}" if status and status.steps else UNKNOWN
        if by.name == "best" and (entry.status is None or entry.status.best is None):
            return ""
        if isinstance(entry, Group) and by.name in ("recipe", "name"):
            return f"{entry.recipe} ×{len(entry.members)}" if by.name == "recipe" else f"{entry.run.name} …"
        return cell(entry, by, now)
    value = value_of(entry.keys, by)
    if value is None:  # a technique that is off, or one of its values
        return "off" if "." not in by[0] else ""
    return bare(value)
