"""The values that an axis has room for: curves and the points near them; what lies far out does not squeeze them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from workbench.tui.charts.drawing import Axis, nice_ticks

FAR = 4.0
"""A curve is followed to values that lie this many times the span of its middle 96 % beyond them."""
NEAR = 1.0
"""Single points are followed to values that lie this many times the span of the curves beyond these."""
LITTLE = 0.4
"""An axis of values from 0 up begins at 0 where their lowest is no more than this share of their highest."""

Limits = tuple[float, float]


def followed(curves: Iterable[float], marks: Sequence[float]) -> Limits | None:
    """The lowest and the highest value that the axis should hold; None where nothing is finite.

    curves: the values of the curves. marks: single points, the oldest first. Those that lie far from the curves count
    only where most of the recent half do: then that is where they are.
    """
    core = _core([v for v in curves if math.isfinite(v)], FAR)
    points = [v for v in marks if math.isfinite(v)]
    if core is None:
        return _core(points, FAR)
    recent = points[len(points) // 2 :]
    far = [v for v in recent if not _near(v, core)]
    if far and 2 * len(far) > len(recent):
        middle = sorted(far)[len(far) // 2]
        core = min(core[0], middle), max(core[1], middle)
    near = [v for v in points if _near(v, core)]
    return min([core[0], *near]), max([core[1], *near])


def _near(value: float, limits: Limits) -> bool:
    span = (limits[1] - limits[0]) or abs(limits[1]) / 8 or 1.0
    return limits[0] - NEAR * span <= value <= limits[1] + NEAR * span


def _core(values: list[float], far: float) -> Limits | None:
    """From the lowest to the highest value, without the few that lie far beyond all others."""
    if not values:
        return None
    found = sorted(values)
    cut = len(found) // 50 if len(found) >= 50 else 1 if len(found) >= 5 else 0
    low, high = found[cut], found[-1 - cut]
    room = far * (high - low)
    if not room:
        return found[0], found[-1]
    return next(v for v in found if v >= low - room), next(v for v in reversed(found) if v <= high + room)


def fitted_axis(limits: Limits, height: int, write: Callable[[float], str], most: float = math.inf) -> Axis:
    """An axis that holds the limits, on a grid of eighths of a power of two, so that it rarely moves.

    It begins at 0 where that costs little, and ends at ``most`` where they do not reach beyond it.
    """
    low, high = limits
    if 0 <= low <= LITTLE * high:
        low = 0.0
    span = high - low
    if span < 1e-12 * abs(high):
        span = abs(high) / 8
    grid = 2.0 ** math.ceil(math.log2(span or 1.0)) / 8
    bottom, top = math.floor(low / grid) * grid, math.ceil(high / grid) * grid
    if low >= 0:
        bottom = max(0.0, bottom)
    if high <= most:
        top = min(top, most)
    if top <= bottom:
        bottom, top = (bottom - grid, top) if top == most else (bottom, bottom + grid)
    return Axis(bottom, top, [(t, write(t)) for t in nice_ticks(bottom, top, max(2, height // 3))])
