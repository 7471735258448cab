"""What is printed: results on stdout, diagnostics on stderr; tables for people, plain columns for pipes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from workbench.printing import complain as complain
from workbench.printing import say as say
from workbench.storage.json_text import dumps
from workbench.visible import OBEYED, visible

STATE_STYLES = {
    "running": "bold green",
    "paused": "yellow",
    "queued": "cyan",
    "finished": "green",
    "stopped": "yellow",
    "diverged": "bold red",
    "failed": "bold red",
    "stalled": "bold yellow",
    "lost": "red",
    "unknown": "magenta",
    "pass": "green",
    "warn": "yellow",
    "fail": "bold red",
}


def say_json(value: Any) -> None:
    """One JSON value on one line."""
    say(dumps(value))


class VisibleConsole(Console):
    """A rich console whose styles are ours while texts stay visible; it takes neither markup nor emoji codes."""

    def __init__(self, file: TextIO | None = None, *, stderr: bool = False) -> None:
        super().__init__(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            hostile = not segment.control and OBEYED.search(segment.text)
            yield Segment(visible(segment.text, keep="\n"), segment.style) if hostile else segment


def on_terminal() -> bool:
    """Whether results go to a person's terminal."""
    return sys.stdout.isatty()


def ascii_only() -> bool:
    """Whether the output has no room for signs beyond ASCII."""
    return "utf" not in (sys.stdout.encoding or "").lower()


def terminal_width() -> int:
    """How many characters a line of the terminal has."""
    return VisibleConsole().width


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]], wrap: str | tuple[str, ...] = ()) -> None:
    """A table; on a terminal it folds columns ``wrap`` and keeps the others whole, in a pipe it cuts nothing."""
    wrap = (wrap,) if isinstance(wrap, str) else wrap
    rows = [[visible(cell, keep="") for cell in row] for row in rows]
    if on_terminal():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, no_wrap=column not in wrap, overflow="fold" if column in wrap else "ellipsis")
        for row in rows:
            cells = [cell if c in wrap else _cut(cell) for c, cell in zip(columns, row, strict=True)]
            table.add_row(*(Text(cell, style=STATE_STYLES.get(cell, "")) for cell in cells))
        VisibleConsole().print(table)
        return
    widths = [max(len(row[i]) for row in [list(columns), *rows]) for i in range(len(columns))]
    for row in [list(columns), *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cut(cell: str) -> str:
    """A cell that is kept whole, unless it is so long that the other columns had no room beside it."""
    return cell if len(cell) <= 60 else f"{cell[:59]}…"


def say_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line, the values below each other."""
    pairs = [(name, visible(value, keep="")) for name, value in pairs]
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        say(f"{name:<{width}}  {value}".rstrip())
