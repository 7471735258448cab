"""Charts as lines of cells, by plotext: axes with round ticks, curves (all to be seen), single points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.tui.charts.columns import FARTHEST, Point, clipped, inside
from workbench.tui.charts.engine import Rows, Stroke, Words, paint, sign_of, with_room
from workbench.tui.common.palette import Colour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Writer = Callable[[float], str]
"""How a number is written beside its tick."""

FLOOR = 1e-300
"""What zero and less count as on a logarithmic axis: a line to them leaves the chart downwards."""
DECADES = 12
"""A logarithmic axis holds no more, counted from the highest value."""


@dataclass(frozen=True)
class Layer:
    """One series. Points that are not finite are gaps. ``mark``: single points with that sign instead of a line.

    faint: a background curve, in ASCII drawn as dots.
    """

    points: Sequence[Point]
    colour: Colour
    mark: str = ""
    faint: bool = False


@dataclass(frozen=True)
class Label:
    """A text beside a point: to its right, or to its left where there is no room."""

    point: Point
    text: str
    colour: Colour


@dataclass(frozen=True)
class Axis:
    """The range of an axis and its ticks: places and words. ``unit``: what it counts, said beside its last tick."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = field(default_factory=tuple)
    unit: str = ""

    def share(self, place: float) -> float:
        """Where a place lies, 0 at the low end and 1 at the high one; the nearer of them if it lies beyond."""
        return min(max((place - self.low) / ((self.high - self.low) or 1.0), 0.0), 1.0)


def draw(
    layers: Iterable[Layer],
    x: Axis,
    y: Axis,
    width: int,
    height: int,
    frame: Colour,
    *,
    labels: Iterable[Label] = (),
    cursor: float | None = None,
    ascii: bool = False,
) -> Rows:
    """The chart as ``height`` lines of ``width`` cells; none where there is no room for one.

    What lies beyond the axes is not drawn; a line ends where it crosses them.

    cursor: a place on the x axis to mark with an upright line. ascii: with ASCII signs alone.
    """
    room = plot_area(y, width, height)
    if room is None:
        return []
    left, across, _ = room
    limits = (x.low, x.high), (y.low, y.high)

    def shares(points: Iterable[Point]) -> list[Point]:
        return [(x.share(px), y.share(py)) for px, py in points]

    strokes = []
    for layer in layers:
        if layer.mark:
            points = shares(inside(layer.points, *limits))
            strokes += [Stroke(points, layer.colour, sign_of(layer.mark, ascii), joined=False)] if points else []
        else:
            marker = ("." if layer.faint else "*") if ascii else "braille"
            strokes += [Stroke(shares(part), layer.colour, marker) for part in clipped(layer.points, *limits)]
    return paint(
        strokes,
        _placed(labels, x, y, across, ascii),
        _fitting(x, left, width),
        [(y.share(place), word) for place, word in y.ticks if y.low <= place <= y.high],
        width,
        height,
        frame,
        cursor=x.share(cursor) if cursor is not None and x.low <= cursor <= x.high else None,
        line=height >= TALL,
        ascii=ascii,
    )


TALL = 12
"""From this height on the x axis has a line of its own; below, that line's row is the curves'."""


def plot_area(y: Axis, width: int, height: int) -> tuple[int, int, int] | None:
    """Cells left of the curves, and cells across and down for them; None where there is no room for a chart."""
    if width < 12 or height < 4:
        return None
    left = max((len(word) for _, word in y.ticks), default=0) + 1
    return (left, width - left, curve_rows(height)) if width - left >= 4 else None


def curve_rows(height: int) -> int:
    """The rows of a chart that its curves have."""
    return height - (2 if height >= TALL else 1)


def _placed(labels: Iterable[Label], x: Axis, y: Axis, across: int, ascii: bool) -> list[Words]:
    """The labels beside their points, those that have room between them."""
    found: list[Words] = []
    taken: list[tuple[int, int, float]] = []
    for label in labels:
        text = "".join(sign_of(c, ascii) if c in "↑↓" else c for c in label.text)
        at, height = x.share(label.point[0]), y.share(label.point[1])
        cell = int(0.5 + at * (across - 1))  # as plotext rounds
        right = cell + 1 + len(text) > across
        start = cell - len(text) if right else cell + 1
        if start >= 0 and all(start > end or start + len(text) < begin or height != row for begin, end, row in taken):
            taken.append((start, start + len(text), height))
            cell += -1 if right else 1
            found.append(Words((cell / max(1, across - 1), height), text, label.colour, right))
    return found


def _fitting(x: Axis, left: int, width: int) -> list[tuple[float, str]]:
    """The ticks whose words have room: plotext drops what overlaps, in an order that differs between processes.

    The last one says what the axis counts, if that fits.
    """
    ticks = [(x.share(place), word) for place, word in x.ticks if x.low <= place <= x.high]
    if x.unit and ticks:
        share, word = ticks[-1]
        last = f"{word} {x.unit}"
        if left + round(share * (width - left - 1)) + len(word) + 1 + len(x.unit) >= width:
            ticks[-1] = (share, last)
        else:
            ticks.append((1.0, x.unit))
    # The last word first: it may not give way.
    return with_room([*ticks[-1:], *ticks[:-1]] if x.unit else ticks, left, width)


LEAST = 1e-290
"""What is nearer to 0 is 0: below it a grid of eighths has no numbers left."""


def zero_axis(values: Iterable[float], height: int, *, least: float = 0.0, write: Writer | None = None) -> Axis:
    """From 0 to 2.5 × 2ⁿ, at least to ``least``: ln 10 fits below 2.5, and the limit moves only by doubling.

    Where there are values below 0, the axis begins as far below it in the same way.
    """
    found = [v for v in values if math.isfinite(v)]
    top, bottom = max([0.0, least, *found]), max([0.0, *(-v for v in found)])
    low, high = -_doubling(bottom) if bottom else 0.0, _doubling(top) if top or not bottom else 0.0
    return Axis(low, high, [(t, (write or _number)(t)) for t in nice_ticks(low, high, max(2, height // 3))])


def _doubling(value: float) -> float:
    """The smallest 2.5 × 2ⁿ that is not below a value; 2.5 for 0."""
    return 2.5 * 2.0 ** math.ceil(math.log2((value or 2.5) / 2.5) - 1e-9)


def span_axis(values: Iterable[float], height: int, *, write: Writer | None = None) -> Axis:
    """What lies between the values and little more, on a grid of eighths of a power of two: it rarely moves."""
    found = [v if abs(v) > LEAST else 0.0 for v in values if math.isfinite(v)]
    low, high = min(found, default=0.0), max(found, default=1.0)
    span = high - low or abs(high) / 8 or 1.0
    grid = 2.0 ** math.ceil(math.log2(span)) / 8
    low, high = math.floor(low / grid) * grid, math.ceil(high / grid) * grid
    high = high if high > low else low + grid
    return Axis(low, high, [(t, (write or _number)(t)) for t in nice_ticks(low, high, max(3, height // 3))])


def log_axis(values: Iterable[float], height: int, write: Writer | None = None) -> Axis:
    """Whole decades in log10 that hold all values above zero."""
    found = [v for v in values if math.isfinite(v) and v > 0]
    low = math.floor(math.log10(min(found, default=0.1)))
    high = min(307, max(low + 1, math.ceil(math.log10(max(found, default=1.0)))))  # 10³⁰⁸ and more is no float
    low = min(max(low, high - DECADES), high - 1)
    steps = (1, 2, 5) if (high - low) * 3 <= height else (1,)
    ticks = [(d + math.log10(s), (write or _number)(s * 10.0**d)) for d in range(low, high) for s in steps] + [
        (float(high), (write or _number)(10.0**high))
    ]
    return Axis(low, high, ticks)


def logarithm(points: Iterable[Point]) -> list[Point]:
    """The points with log10 of their values; zero and less become the floor, not finite ones stay gaps."""
    return [(x, math.log10(max(FLOOR, v)) if math.isfinite(v) else math.nan) for x, v in points]


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """At most ``count`` + 1 round numbers from low to high."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    rough = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}".replace("e-0", "e-")


Drawing = Callable[[int, int], Rows]
"""Draws a chart for a width and a height."""


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
