"""What of a curve lies inside a chart: its stretches between gaps, cut where they cross the axes' limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

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
