"""Curves that coincide, drawn so that each of them shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.tui.charts.clip import FARTHEST, Point, clipped
from workbench.tui.charts.drawing import Axis, Layer, plot_area

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def apart(lines: Sequence[Layer], x: Axis, y: Axis, width: int, height: int) -> list[Layer]:
    """The curves with gaps where they coincide, so that each of them shows: in turns of a few cells.

    Two coincide where they lie in the same row of cells; curves that only cross do not.
    """
    import numpy as np

    room = plot_area(y, width, height)
    if room is None or len(lines) < 2:
        return list(lines)
    _, across, down = room
    columns = x.low + (np.arange(across) + 0.5) / across * (x.high - x.low)
    rows = np.full((len(lines), across), np.nan)
    for number, layer in enumerate(lines):
        points = np.array(layer.points, np.float64).reshape(-1, 2)
        if len(points) > 1:
            rows[number] = np.interp(columns, points[:, 0], points[:, 1], np.nan, np.nan)
    rows = np.floor((rows - y.low) / ((y.high - y.low) or 1.0) * down)
    turn = np.arange(across) // TURN
    hidden = np.zeros(rows.shape, bool)
    for number in range(len(lines)):
        alike = rows == rows[number]
        alike[:, ~_long(alike.sum(0) > 1)] = False
        count, rank = alike.sum(0), alike[:number].sum(0)
        hidden[number] = (count > 1) & (turn % np.maximum(count, 1) != rank)
    return [_without(layer, x, gone) for layer, gone in zip(lines, hidden, strict=True)]


TURN = 3
"""Cells in a row that one of the curves which coincide has for itself."""


def _long(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a stretch of true is as long as two turns at least."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate(([False], found, [False])).astype(np.int8)))
    kept = np.zeros(len(found), bool)
    for start, end in edges.reshape(-1, 2):
        kept[start:end] = end - start >= 2 * TURN
    return kept


def _without(layer: Layer, x: Axis, hidden: NDArray[np.bool_]) -> Layer:
    """A curve with gaps in the columns that are hidden."""
    if not hidden.any():
        return layer
    width = (x.high - x.low) / len(hidden)
    parts: list[Point] = []
    start = 0
    while start < len(hidden):
        end = start + 1
        while end < len(hidden) and hidden[end] == hidden[start]:
            end += 1
        if not hidden[start]:
            low = x.low - width if start == 0 else x.low + start * width
            high = x.high + width if end == len(hidden) else x.low + end * width
            for part in clipped(layer.points, (low, high), (-FARTHEST, FARTHEST)):
                parts += [*part, (math.nan, math.nan)]
        start = end
    return replace(layer, points=parts)
