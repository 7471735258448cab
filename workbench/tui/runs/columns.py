"""The columns of the table of runs: what stands in them, and how a row and the heading are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.format import age, duration, percent
from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS, Facts, metric_change
from workbench.runs.find.fields import group_cell
from workbench.runs.find.groups import Group
from workbench.tui.common.texts import STATES
from workbench.tui.common.words import cut, number
from workbench.tui.runs.overlay import Look

Cell = tuple[str, str]
"""Text and style: the name of one of the table's styles, or a colour as ``#rrggbb``."""

LIVE = ("running", "paused", "stalled", "unknown")
_STYLES = {"$success": "good", "$warning": "warning", "$error": "bad", "$muted": "quiet"}
_BY_NAME = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True)
class Context:
    """What a row needs beside its entry. now: seconds since 1970. members: runs that stand below their group.

    columns: all that may be shown, as far as there is room. usual: what most of the runs have in keys that vary.
    """

    now: float = 0.0
    facts: Mapping[str, Facts] = field(default_factory=dict)
    looks: Mapping[str, Look] = field(default_factory=dict)
    baseline: Entry | None = None
    members: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    usual: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One column. sort: the field of the filter that it is sorted by, largest first if ``descending``.

    priority: the lower, the longer it stays; width in cells; ``share``: of the room that is left, for texts of any
    length, up to ``most`` cells (0: any number). only_with_baseline: it says how a run differs from the baseline.
    instead: it stands there only where those of the keys (``of_key``) have no room, and says what they would.
    """

    key: str
    title: str
    width: int
    priority: float
    cell: Callable[[Entry, Context], Cell]
    sort: str = ""
    descending: bool = False
    share: int = 0
    most: int = 0
    right: bool = False
    only_with_baseline: bool = False
    instead: bool = False
    of_key: bool = False


def _sign(entry: Entry, context: Context) -> Cell:
    names = [member.name for member in entry.members] if isinstance(entry, Group) else [entry.name]
    look = next((context.looks[name] for name in names if name in context.looks), None)
    pinned = context.baseline is not None and context.baseline.name in names
    return f"{look.mark if look else ' '}{'⚑' if pinned else ' '}", look.hex if look else "accent"


def _state(entry: Entry, context: Context) -> Cell:
    sign, colour = STATES.get(entry.state, STATES["unknown"])
    if isinstance(entry, Group):
        counts = [f"{STATES.get(state, STATES['unknown'])[0]} {count}" for state, count in entry.states.items()]
        return " ".join(counts), _STYLES[colour]
    status = entry.status
    percent = int(100 * min(1.0, status.step / status.steps)) if status and status.steps else None
    word = f"{percent} %" if percent is not None and entry.state in LIVE[:2] else entry.state
    return f"{sign} {word}", _STYLES[colour]


def _recipe(entry: Entry, context: Context) -> Cell:
    if isinstance(entry, Group):
        return f"{entry.recipe} ×{len(entry.members)}", "name"
    if entry.name in context.members:
        return f"  seed {_seed(entry, context)[0]}", "text"
    return entry.recipe, "name"


def _test(entry: Entry, context: Context) -> Cell:
    if isinstance(entry, Group):
        return group_cell(entry, "acc", _share), "value"
    return _share(entry.status.test_accuracy if entry.status else None), "value"


def _best(entry: Entry, context: Context) -> Cell:
    if isinstance(entry, Group):
        return group_cell(entry, "best", _share), "text"
    return _share(entry.status.best if entry.status else None), "text"


def _change(metric: str) -> Callable[[Entry, Context], Cell]:
    def cell(entry: Entry, context: Context) -> Cell:
        if context.baseline is None or entry.name == context.baseline.name:
            return "", "quiet"
        found = _BY_NAME[metric]
        before, after = found.of(context.baseline), found.of(entry)
        words = metric_change(found, before, after)
        if before is None or after is None or before == after or not found.better:
            return words, "quiet"
        return words, "good" if (after > before) == (found.better > 0) else "bad"

    return cell


def _difference(entry: Entry, context: Context) -> Cell:
    facts = context.facts.get(entry.run.name)
    if facts is None:
        return "", "quiet"
    return ("cannot be read", "bad") if facts.problem else (facts.words, "text")


def _loss(entry: Entry, context: Context) -> Cell:
    if isinstance(entry, Group):
        return group_cell(entry, "loss"), "text"
    loss = entry.status.loss if entry.status else None
    return ("–", "quiet") if loss is None else (number(loss) if loss < 1000 else f"{loss:.1e}", "text")


def _time(entry: Entry, context: Context) -> Cell:
    if isinstance(entry, Group):
        return group_cell(entry, "time"), "text"
    seconds = entry.status.seconds if entry.status else None
    return ("–", "quiet") if seconds is None else (duration(seconds), "text")


def _speed(entry: Entry, context: Context) -> Cell:
    found = entry.status.images_per_second if entry.status else None
    return ("–", "quiet") if found is None else (f"{found:,.0f}", "text")


def _device(entry: Entry, context: Context) -> Cell:
    return (entry.status.device if entry.status else ""), "quiet"


def _seed(entry: Entry, context: Context) -> Cell:
    if isinstance(entry, Group):
        return "", "quiet"
    seed = entry.status.seed if entry.status else None
    facts = context.facts.get(entry.name)
    seed = facts.seed if seed is None and facts is not None else seed
    return ("–", "quiet") if seed is None else (str(seed), "quiet")


def _age(entry: Entry, context: Context) -> Cell:
    return age(context.now - entry.created), "quiet"


def _tags(entry: Entry, context: Context) -> Cell:
    return " ".join(entry.notes.tags), "accent"


def _share(value: float | None) -> str:
    return percent(value, 1 if value is not None and value > 0.99995 else 2)  # 100.0 % has as many cells as 99.99 %


COLUMNS = (
    Column("sign", "", 2, 0, _sign),
    Column("state", "state", 10, 0, _state, "state"),
    Column("recipe", "recipe", 12, 0, _recipe, "recipe", share=1),
    Column("test", "test", 7, 0, _test, "acc", descending=True, right=True),
    Column("points", "± test", 6, 1, _change("test accuracy"), "acc", descending=True, right=True,
           only_with_baseline=True),
    Column("best", "best val", 9, 8, _best, "best", descending=True, right=True),
    Column("difference", "differs", 14, 2, _difference, share=4),
    Column("device", "device", 7, 4.5, _device, "device"),
    Column("loss", "loss", 7, 7, _loss, "loss", right=True),
    Column("time", "time", 7, 3, _time, "time", right=True),
    Column("percent", "± time", 6, 9, _change("training time"), "time", right=True, only_with_baseline=True),
    Column("speed", "img/s", 6, 6, _speed, "speed", descending=True, right=True),
    Column("seed", "seed", 5, 5, _seed, "seed", right=True),
    Column("age", "age", 6, 4, _age, "age", right=True),
    Column("tags", "tags", 10, 10, _tags, "tag", share=1),
)  # fmt: skip

DESCENDING = {column.sort for column in COLUMNS if column.descending}
FIRST_SORT = "age"


def cells(entry: Entry, columns: Sequence[tuple[Column, int]], context: Context) -> list[Cell]:
    """A row: each cell cut or filled to its column's width."""
    return [(_fit(text, width, column.right), style) for column, width in columns
            for text, style in (column.cell(entry, context),)]  # fmt: skip


def headings(columns: Sequence[tuple[Column, int]], sort: str, *, descending: bool) -> list[tuple[str, bool]]:
    """The titles, each with whether the table is sorted by it."""
    first = next((column for column, _ in columns if column.sort == sort), None)
    arrow = "▼" if descending else "▲"
    return [
        (_fit(f"{column.title}{arrow}" if column is first else column.title, width, column.right), column is first)
        for column, width in columns
    ]


def _fit(text: str, width: int, right: bool) -> str:
    text = cut(text, width)
    return text.rjust(width) if right else text.ljust(width)
