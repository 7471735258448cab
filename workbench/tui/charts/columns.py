"""Curves of any length as columns of numbers: smoothed, reduced, cut where they leave the axes or have a gap."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


HALF_LIVES = (0.0, 1 / 400, 1 / 200, 1 / 100, 1 / 50, 1 / 25, 1 / 12, 1 / 6)
"""Half-lives of the smoothing, from none to strong, as shares of the run."""

DEFAULT_SMOOTHING = 4


def numbers(column: Sequence[float]) -> Numbers:
    """A column as a NumPy array. Of an ``array`` it is a view: let go of it before the column grows."""
    import numpy as np

    return np.frombuffer(column, np.float64) if isinstance(column, array) and column else np.asarray(column, np.float64)


class Smoother:
    """A debiased exponential average over unevenly spaced steps, fed piece by piece. Gaps stay gaps."""

    def __init__(self, half_life: float) -> None:
        self._rate = math.log(2) / half_life if half_life > 0 else math.inf
        self._step = self._sum = self._weight = 0.0

    def extend(self, steps: Numbers, values: Numbers) -> Numbers:
        """The averages at the next steps."""
        import numpy as np

        if math.isinf(self._rate):
            return values.copy()
        found = np.full(len(values), np.nan)
        (kept,) = np.nonzero(np.isfinite(values))
        places = steps[kept] * self._rate
        start = 0
        while start < len(kept):
            # The sums are reckoned relative to the first step of a block; it ends before exp() would overflow.
            end = max(start + 1, int(np.searchsorted(places, places[start] + 300.0)))
            at, block = places[start:end], kept[start:end]
            before = np.concatenate(([self._step * self._rate], at[:-1]))
            shares = -np.expm1(-np.maximum(at - before, self._rate))
            grown = np.exp(at - at[0])
            left = math.exp(max(-700.0, before[0] - at[0]))
            total = self._sum * left + np.cumsum(grown * shares * values[block])
            weight = self._weight * left + np.cumsum(grown * shares)
            found[block] = total / weight
            self._sum, self._weight = float(total[-1] / grown[-1]), float(weight[-1] / grown[-1])
            self._step = float(steps[block[-1]])
            start = end
        return found


def reduce(steps: Sequence[float], values: Sequence[float], low: float, high: float, count: int) -> tuple[Any, Any]:
    """Minimum and maximum, in the order low, high, high, low, …, of about ``count`` buckets between two steps.

    Where there are no more points than buckets, the points themselves, with one more at each side. The edges of the
    buckets are multiples of a power of two: they stay while a curve grows. Returns steps and values.
    """
    import numpy as np

    x, y, edges = _buckets(steps, values, low, high, count)
    if edges is None:
        return x.copy(), y.copy()
    starts, middles = edges
    lows, highs = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    flip = np.arange(len(starts)) % 2 == 1
    first, second = np.where(flip, highs, lows), np.where(flip, lows, highs)
    if np.isfinite(y).all():
        return np.repeat(middles, 2), np.stack((first, second), 1).ravel()
    gaps = np.where(np.add.reduceat(~np.isfinite(y), starts) > 0, np.nan, second)
    # A gap hides nothing: the extremes of its bucket stand before it.
    return np.repeat(middles, 3), np.stack((first, second, np.where(np.isnan(gaps), np.nan, second)), 1).ravel()


def thin(steps: Sequence[float], values: Sequence[float], low: float, high: float, count: int) -> tuple[Any, Any]:
    """The last value of about ``count`` buckets between two steps: enough for a smooth curve."""
    import numpy as np

    x, y, edges = _buckets(steps, values, low, high, count)
    if edges is None:
        return x.copy(), y.copy()
    starts, middles = edges
    ends = np.append(starts[1:], len(y)) - 1
    return middles, y[ends]


def _buckets(steps: Sequence[float], values: Sequence[float], low: float, high: float, count: int) -> tuple[Any, ...]:
    """The points in a window, and where each bucket that has any begins and lies; None for as few as they are."""
    import numpy as np

    x, y = numbers(steps)[: len(values)], numbers(values)[: len(steps)]
    first = max(0, int(np.searchsorted(x, low, "left")) - 1)
    last = min(len(x), int(np.searchsorted(x, high, "right")) + 1)
    x, y = x[first:last], y[first:last]
    if len(x) <= count or high <= low:
        return x, y, None
    width = 2.0 ** math.ceil(math.log2((high - low) / max(1, count)))
    edges = np.arange(math.floor(x[0] / width), math.floor(x[-1] / width) + 1) * width
    starts = np.searchsorted(x, edges, "left")
    full = np.diff(np.append(starts, len(x))) > 0
    return x, y, (starts[full], edges[full] + width / 2)


class Curve:
    """One column of values beside a column of steps that other curves may share. What is not finite is a gap."""

    def __init__(self, steps: array[float], total: int = 1) -> None:
        self.steps = steps
        self.values: array[float] = array("d")
        self._total = max(1, total)
        self._smooth: dict[int, tuple[Smoother, array[float]]] = {}

    def add(self, value: float) -> None:
        """The value at the next step."""
        self.values.append(value if math.isfinite(value) else math.nan)

    def smoothed(self, level: int = DEFAULT_SMOOTHING) -> array[float]:
        """The smoothed values, one for each value; the newest two levels are kept. See :data:`HALF_LIVES`."""
        if level not in self._smooth:
            for old in [known for known in self._smooth if known != DEFAULT_SMOOTHING]:
                del self._smooth[old]
            self._smooth[level] = Smoother(HALF_LIVES[level] * self._total), array("d")
        smoother, done = self._smooth[level]
        start, end = len(done), len(self.values)
        if start < end:
            done.frombytes(smoother.extend(numbers(self.steps)[start:end], numbers(self.values)[start:end]).tobytes())
        return done

    def latest(self, level: int = DEFAULT_SMOOTHING) -> float:
        """The newest smoothed value that is finite; nan without any."""
        return next((v for v in reversed(self.smoothed(level)) if math.isfinite(v)), math.nan)


def at_step(steps: Sequence[float], values: Sequence[float], step: float) -> float:
    """The value at the last point that does not lie beyond a step; nan before the first."""
    import bisect

    place = bisect.bisect_right(steps, step, hi=min(len(steps), len(values))) - 1
    return float(values[place]) if place >= 0 else math.nan


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
