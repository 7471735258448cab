"""A grid of terminal cells with lines in braille dots or plain ASCII signs, and what of a line lies inside a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from workbench.tui.common.palette import Colour

Run = tuple[str, Colour | None]
"""Neighbouring cells of one colour."""

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each braille dot: column, then row from the top."""

SPANS = tuple(tuple(tuple(sum(column[a : b + 1]) for b in range(4)) for a in range(4)) for column in DOTS)
"""The bits from one row to another in a column."""


class Canvas:
    """``width`` × ``height`` cells. Dots are counted from the top left; what is drawn later covers what is under it."""

    def __init__(self, width: int, height: int, *, ascii: bool = False) -> None:
        self.width, self.height = width, height
        self.ascii = ascii
        self.across, self.down = (1, 1) if ascii else (2, 4)
        self._bits = [0] * (width * height)
        self._signs = [""] * (width * height)
        self._colours: list[Colour | None] = [None] * (width * height)

    @property
    def dots(self) -> tuple[int, int]:
        """Dots across and down."""
        return self.width * self.across, self.height * self.down

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, sign: str = "*") -> None:
        """Join points (dots from the left, dots from the top); a single one is a dot. ``sign``: what ASCII shows."""
        if len(points) == 1:
            x, y = points[0]
            self._column(round(x), round(y), round(y), colour, sign)
        for (x0, y0), (x1, y1) in pairwise(points):
            if x0 > x1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            first, last = round(x0), round(x1)
            if first == last:
                self._column(first, round(min(y0, y1)), round(max(y0, y1)), colour, sign)
                continue
            slope = (y1 - y0) / (x1 - x0)
            for x in range(first, last + 1):
                a = y0 + slope * (max(x0, x - 0.5) - x0)
                b = y0 + slope * (min(x1, x + 0.5) - x0)
                self._column(x, round(min(a, b)), round(max(a, b)), colour, sign)

    def _column(self, x: int, top: int, bottom: int, colour: Colour, sign: str) -> None:
        """Dots of one column, from the top one to the bottom one."""
        across, down = self.dots
        if not 0 <= x < across or bottom < 0 or top >= down:
            return
        top, bottom = max(top, 0), min(bottom, down - 1)
        cell, spans = x // self.across, SPANS[x % 2]
        for row in range(top // self.down, bottom // self.down + 1):
            place = row * self.width + cell
            if self._colours[place] != colour:  # a cell has one colour: that of the curve on top, and its dots alone
                self._bits[place], self._colours[place] = 0, colour
            if self.ascii:
                self._signs[place] = sign
            else:
                self._bits[place] |= spans[max(top - 4 * row, 0)][min(bottom - 4 * row, 3)]
                self._signs[place] = ""

    def mark(self, x: float, y: float, sign: str, colour: Colour) -> None:
        """A sign in the cell of a dot."""
        cell, row = math.floor(x / self.across), math.floor(y / self.down)
        if 0 <= cell < self.width and 0 <= row < self.height:
            self._signs[row * self.width + cell] = sign
            self._colours[row * self.width + cell] = colour

    def upright(self, x: float, sign: str, colour: Colour) -> None:
        """A sign in every empty cell of the column of a dot: curves stay visible."""
        cell = math.floor(x / self.across)
        for row in range(self.height if 0 <= cell < self.width else 0):
            place = row * self.width + cell
            if not self._bits[place] and not self._signs[place]:
                self._signs[place], self._colours[place] = sign, colour

    def rows(self) -> list[list[Run]]:
        """Each line as runs of one colour."""
        found: list[list[Run]] = []
        for start in range(0, self.width * self.height, self.width):
            runs: list[Run] = []
            for place in range(start, start + self.width):
                text = self._signs[place] or (chr(0x2800 + self._bits[place]) if self._bits[place] else " ")
                colour = self._colours[place] if text != " " else None
                if runs and (runs[-1][1] == colour or text == " "):
                    runs[-1] = (runs[-1][0] + text, runs[-1][1])
                else:
                    runs.append((text, colour))
            found.append(runs)
        return found


Point = tuple[float, float]
Limits = tuple[float, float]
"""The lowest and the highest value."""

FARTHEST = 1e150
"""Values beyond it are taken for it: their differences stay finite, and lines to them are upright either way."""


def inside(points: Iterable[Point], x: Limits, y: Limits) -> list[Point]:
    """The points within the limits, for marks; one on an edge is within, as far as floats can tell."""
    slack_x, slack_y = 1e-9 * (x[1] - x[0]), 1e-9 * (y[1] - y[0])
    return [
        (px, py)
        for px, py in points
        if x[0] - slack_x <= px <= x[1] + slack_x and y[0] - slack_y <= py <= y[1] + slack_y
    ]


def clipped(points: Iterable[Point], x: Limits, y: Limits) -> list[list[Point]]:
    """The parts of a curve within the limits, cut where it crosses them. Points that are not finite are gaps."""
    return [part for stretch in _stretches(points) for part in _clipped(stretch, x, y)]


def _clipped(stretch: Sequence[Point], x: Limits, y: Limits) -> list[list[Point]]:
    if len(stretch) == 1:
        return [found] if (found := inside(stretch, x, y)) else []
    parts: list[list[Point]] = []
    for start, end in pairwise(stretch):
        piece = _piece(start, end, x, y)
        if piece is None:
            continue
        if parts and parts[-1][-1] == piece[0]:
            parts[-1].append(piece[1])
        else:
            parts.append([*piece])
    return parts


def _piece(start: Point, end: Point, x: Limits, y: Limits) -> tuple[Point, Point] | None:
    """What of a straight line lies within, after Liang and Barsky 1984; an end that is within stays as it is."""
    first, last = 0.0, 1.0
    for a, b, (low, high) in zip(start, end, (x, y), strict=True):
        if low <= a <= high and low <= b <= high:
            continue
        if a == b:
            return None
        enters, leaves = sorted(((low - a) / (b - a), (high - a) / (b - a)))
        first, last = max(first, enters), min(last, leaves)
    if first > last:
        return None
    return start if first == 0 else _at(start, end, first), end if last == 1 else _at(start, end, last)


def _at(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _stretches(points: Iterable[Point]) -> list[list[Point]]:
    """The parts of a curve between its gaps."""
    parts: list[list[Point]] = [[]]
    for px, py in points:
        if math.isfinite(px) and math.isfinite(py):
            parts[-1].append((min(max(px, -FARTHEST), FARTHEST), min(max(py, -FARTHEST), FARTHEST)))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]
