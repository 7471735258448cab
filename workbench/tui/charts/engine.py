"""plotext draws the curves and axes of a chart; what it made is read from its matrix of cells, not from ANSI text.

plotext gets shares of the axes (0 to 1), never values: it divides by the difference of the limits, raises at infinities
and draws lines far outside its canvas dot by dot. Only finite points inside the axes may reach it, from one thread.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.tui.charts import plotext_numpy
from workbench.tui.common.palette import Colour

Run = tuple[str, Colour | None]
"""Neighbouring cells of one colour; None for the terminal's own."""
Rows = list[list[Run]]
"""A chart's lines from the top, each as runs of one colour that fill its width."""
Shares = Sequence[tuple[float, float]]
"""Points as shares of the axes: 0 at the left and the bottom, 1 at the right and the top."""

ASCII_SIGNS = {
    "◆": "o",
    "▲": "^",
    "●": "@",
    "■": "#",
    "▼": "v",
    "★": "%",
    "✚": "+",
    "✖": "x",
    "━": "*",
    "┊": ":",
    "│": "|",
    "┤": "+",
    "├": "+",
    "└": "+",
    "┬": "+",
    "┴": "+",
    "┼": "+",
    "─": "-",
    "↑": "^",
    "↓": "v",
}
"""What stands for a sign where a terminal has only ASCII."""


def sign_of(sign: str, ascii: bool) -> str:
    """A sign, or what stands for it in ASCII."""
    return ASCII_SIGNS.get(sign, "o") if ascii else sign


@dataclass(frozen=True)
class Stroke:
    """A curve's stretch without gaps, or single signs. ``marker``: plotext's name of a marker, or a sign."""

    points: Shares
    colour: Colour
    marker: str = "braille"
    joined: bool = True


@dataclass(frozen=True)
class Words:
    """A text inside a chart. ``at``: shares of the axes, of its first cell, or of its last if it is right-aligned."""

    at: tuple[float, float]
    text: str
    colour: Colour
    right: bool = False


@functools.cache
def _figure() -> Any:
    """The one figure, our own: plotext's global one is no larger than the terminal."""
    from plotext._figure import _figure_class

    plotext_numpy.install()
    figure = _figure_class()
    figure._limit_size(False, False)
    figure.theme("clear")
    return figure


def paint(
    strokes: Iterable[Stroke],
    words: Iterable[Words],
    xticks: Sequence[tuple[float, str]],
    yticks: Sequence[tuple[float, str]],
    width: int,
    height: int,
    frame: Colour,
    *,
    cursor: float | None = None,
    line: bool = True,
    ascii: bool = False,
) -> Rows:
    """``height`` lines of ``width`` cells. What is painted later covers what is under it, cell by cell.

    xticks and yticks: shares of the axes and words, those of the x axis with room for each. cursor: a share of the x
    axis, marked where nothing is. line: whether the x axis has a line over its words.
    """
    figure = _figure()
    figure.clear_data()
    figure.monitor.axes_init()  # the ticks and limits of the chart before
    figure.plot_size(width, height)
    figure.xaxes(line, False)
    figure.yaxes(True, False)
    figure.ticks_color(frame)
    left = max((len(word) for _, word in yticks), default=0) + 1
    for (marker, colour, joined), parts in itertools.groupby(strokes, lambda s: (s.marker, s.colour, s.joined)):
        points = [stroke.points for stroke in parts]
        if joined and len(points) > 1:
            xs, ys, signs = _cells(points, marker, width - left, height - line - bool(xticks))
            figure.scatter(xs, ys, marker=signs, color=colour)
        else:
            xs, ys = [x for part in points for x, _ in part], [y for part in points for _, y in part]
            (figure.plot if joined and len(xs) > 1 else figure.scatter)(xs, ys, marker=marker, color=colour)
    for told in words:
        figure.text(told.text, *told.at, color=told.colour, alignment="right" if told.right else "left")
    figure.xlim(0, 1)
    figure.ylim(0, 1)
    figure.xticks([share for share, _ in xticks], [word for _, word in xticks])
    figure.yticks([share for share, _ in yticks], [word for _, word in yticks])
    if cursor is not None:
        figure.vline(cursor, frame)
    figure._set_sizes()
    figure._build_matrix()
    matrix = figure.monitor.matrix
    column = -1
    if cursor is not None:
        column = left + int(0.5 + (width - left - 1) * cursor)
    rows = zip(reversed(matrix.marker), reversed(matrix.fullground), strict=True)
    return [_runs(signs, colours, column, ascii) for signs, colours in rows]


BRAILLE = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of a cell's dots: its two columns, each from the bottom."""


def _cells(parts: Sequence[Shares], marker: str, across: int, down: int) -> tuple[list[float], list[float], list[str]]:
    """What many lines cover of a canvas, cell by cell, and the sign of each.

    plotext's own plot draws one line through all points, and goes through every dot of it in Python.
    """
    import numpy as np

    fine = marker == "braille"
    columns, rows = (2, 4) if fine else (1, 1)
    grid = np.array([columns * across - 1, rows * down - 1])
    found = []
    for part in parts:
        points = np.asarray(part, np.float64) * grid
        steps = np.diff(points, axis=0)
        counts = np.ceil(np.abs(steps).max(axis=1, initial=0)).astype(np.int64)
        at = (np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)) / np.repeat(counts, counts)
        found += [np.repeat(points[:-1], counts, axis=0) + at[:, None] * np.repeat(steps, counts, axis=0), points[-1:]]
    x, y = np.floor(0.5 + np.concatenate(found)).astype(np.int64).T
    bits = np.array(BRAILLE)[x % columns, y % rows] if fine else np.zeros_like(x)
    cells = np.zeros((across, down), np.int64)
    np.bitwise_or.at(cells, (x // columns, y // rows), bits if fine else 1)
    hit = np.nonzero(cells)
    signs = [chr(0x2800 + found) for found in cells[hit].tolist()] if fine else [marker] * len(hit[0])
    return (hit[0] / max(1, across - 1)).tolist(), (hit[1] / max(1, down - 1)).tolist(), signs


def _runs(signs: list[str], colours: list[Colour | str], column: int, ascii: bool) -> list[Run]:
    """A line of cells as runs; the cursor's sign in its column."""
    if 0 <= column < len(signs) and signs[column] == "│":
        signs[column] = "┊"
    if ascii:
        signs = [ASCII_SIGNS.get(sign, sign) for sign in signs]
    found: list[Run] = []
    start, colour = 0, None
    for place, (sign, its) in enumerate(zip(signs, colours, strict=True)):
        if sign != " " and its != colour:
            if place > start:
                found.append(("".join(signs[start:place]), colour))
            start, colour = place, None if isinstance(its, str) else its
    found.append(("".join(signs[start:]), colour))
    return found


def with_room(ticks: Iterable[tuple[float, str]], left: int, width: int) -> list[tuple[float, str]]:
    """The ticks of an x axis whose words plotext finds room for if it gets these alone, in this order.

    Of all of them it would drop some in an order of its own, which differs from process to process.
    """
    from plotext._utility import correct_coord

    found: list[tuple[float, str]] = []
    row = [" "] * width
    for share, word in ticks:
        start = correct_coord(row, word, left + int(0.5 + (width - left - 1) * share))
        around = row[max(start - 1, 0) : start + len(word) + 1]
        if 0 <= start <= width - len(word) and set(around) <= {" "}:
            row[start : start + len(word)] = word
            found.append((share, word))
    return found


def plain(rows: Rows) -> str:
    """The lines without colours and spaces at their ends."""
    return "\n".join("".join(text for text, _ in row).rstrip() for row in rows)
