"""The columns of the table of runs: what stands in them, and which of them fit a width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.format import age, duration, percent
from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS, Facts, metric_change
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
    """What a row needs beside its entry. now: seconds since 1970."""

    now: float = 0.0
    facts: Mapping[str, Facts] = field(default_factory=dict)
    looks: Mapping[str, Look] = field(default_factory=dict)
    baseline: Entry | None = None


@dataclass(frozen=True)
class Column:
    """One column. sort: the field of the filter that it is sorted by, largest first if ``descending``.

    priority: the lower, the longer it stays; width in cells; ``share``: of the room that is left, for texts of any
    length. only_with_baseline: it says how a run differs from the baseline.
    """

    key: str
    title: str
    width: int
    priority: int
    cell: Callable[[Entry, Context], Cell]
    sort: str = ""
    descending: bool = False
    share: int = 0
    right: bool = False
    only_with_baseline: bool = False


def _sign(entry: Entry, context: Context) -> Cell:
    look = context.looks.get(entry.name)
    pinned = context.baseline is not None and context.baseline.name == entry.name
    return f"{look.mark if look else ' '}{'⚑' if pinned else ' '}", look.hex if look else "accent"


def _state(entry: Entry, context: Context) -> Cell:
    sign, colour = STATES.get(entry.state, STATES["unknown"])
    status = entry.status
    percent = int(100 * min(1.0, status.step / status.steps)) if status and status.steps else None
    word = f"{percent} %" if percent is not None and entry.state in LIVE[:2] else entry.state
    return f"{sign} {word}", _STYLES[colour]


def _recipe(entry: Entry, context: Context) -> Cell:
    return entry.recipe, "name"


def _test(entry: Entry, context: Context) -> Cell:
    return _share(entry.status.test_accuracy if entry.status else None), "value"


def _best(entry: Entry, context: Context) -> Cell:
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
    facts = context.facts.get(entry.name)
    if facts is None:
        return "", "quiet"
    return ("cannot be read", "bad") if facts.problem else (facts.words, "text")


def _loss(entry: Entry, context: Context) -> Cell:
    loss = entry.status.loss if entry.status else None
    return ("–", "quiet") if loss is None else (number(loss) if loss < 1000 else f"{loss:.1e}", "text")


def _time(entry: Entry, context: Context) -> Cell:
    seconds = entry.status.seconds if entry.status else None
    return ("–", "quiet") if seconds is None else (duration(seconds), "text")


def _speed(entry: Entry, context: Context) -> Cell:
    found = entry.status.images_per_second if entry.status else None
    return ("–", "quiet") if found is None else (f"{found:,.0f}", "text")


def _seed(entry: Entry, context: Context) -> Cell:
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


def fitting(width: int, *, baseline: bool) -> list[tuple[Column, int]]:
    """The columns that fit, in their order, with their widths; a space stands between two of them."""
    possible = [column for column in COLUMNS if baseline or not column.only_with_baseline]
    chosen: list[Column] = []
    for column in sorted(possible, key=lambda column: column.priority):
        if column.priority and _needed([*chosen, column]) > width:
            break  # what matters less does not overtake it
        chosen.append(column)
    chosen = [column for column in possible if column in chosen]
    room = max(0, width - _needed(chosen))
    shares = sum(column.share for column in chosen)
    return [(column, column.width + (room * column.share // shares if shares else 0)) for column in chosen]


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width + 1 for column in columns) - 1


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
