"""What one chart shows: its series, how its values are written, what its axes have room for. No widget, any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from workbench.tui.charts.columns import at_step, reduce, thin
from workbench.tui.charts.drawing import (
    Axis,
    Label,
    Layer,
    curve_rows,
    draw,
    log_axis,
    logarithm,
    nice_ticks,
    plot_area,
    span_axis,
    zero_axis,
)
from workbench.tui.charts.engine import Rows, sign_of
from workbench.tui.charts.viewport import Progress, Viewport
from workbench.tui.common.palette import Colour, Palette
from workbench.tui.common.words import cut

if TYPE_CHECKING:
    from workbench.tui.charts.columns import Numbers

    Pairs = tuple[Numbers, Numbers]


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


Kind = Literal["faint", "line", "marks"]


@dataclass(frozen=True)
class Series:
    """One curve. steps and values: columns of one length, not finite values are gaps.

    colour: a field of the palette, or a colour. kind: "faint" is drawn through minimum and maximum of what falls into
    a column, "line" through the last value of it, "marks" as single signs. sign: in the title, and of marks. told:
    which of its values the title may say: any, one under the cursor (the newest of a plan is its end), or none.
    """

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    colour: str | Colour
    kind: Kind = "line"
    sign: str = "━"
    told: Literal["any", "cursor", "none"] = "any"

    def rgb(self, palette: Palette) -> Colour:
        """Its colour."""
        return getattr(palette, self.colour) if isinstance(self.colour, str) else self.colour


class Figure(NamedTuple):
    """What the title of a chart says of one series. The lower its rank, the sooner it gives way to the others."""

    sign: str
    colour: Colour
    name: str
    value: str
    rank: int = 0


def titled(title: str, figures: Sequence[Figure], width: int) -> tuple[str, list[Figure]]:
    """Title and figures, each with the blanks before it, in at most ``width`` cells; no value is ever cut.

    What gives way, in this order: the names of the series, the wider gaps, a unit that all values have (the last one
    keeps it), whole figures, the end of the title.
    """
    form, room = list[Figure](), width
    for form in _forms(figures):
        room = width - sum(len(f.sign) + len(f.name) + len(f.value) for f in form)
        if len(title) <= room:
            break
    return cut(title, room), form


def _forms(figures: Sequence[Figure]) -> Iterator[list[Figure]]:
    yield [f._replace(sign=f"  {f.sign} ", name=f"{f.name} " if f.name else "") for f in figures]
    yield [f._replace(sign=f"  {f.sign} ", name="") for f in figures]
    left = list(figures)
    while left:
        narrow = [f._replace(sign=f" {f.sign} ", name="") for f in left]
        yield narrow
        parts = [f.value.partition(" ") for f in left]
        if len({unit for _, _, unit in parts}) == 1:
            yield [f._replace(value=value) for f, (value, _, _) in zip(narrow[:-1], parts, strict=False)] + narrow[-1:]
        left.remove(min(left, key=lambda figure: figure.rank))


@dataclass(frozen=True)
class Plot:
    """A chart. write: a value in its title, short; exact: under the cursor; tick: at its axis.

    scale: "zero" begins at 0; "follow" has room for the curves and the points near them, "share" too, but for none
    above 100 %; points beyond stand at the edge with their value. positive: a logarithmic scale is possible.
    to_the_end: the x axis reaches to the run's last step, however far that is.
    """

    title: str
    series: tuple[Series, ...]
    write: Callable[[float], str]
    exact: Callable[[float], str]
    tick: Callable[[float], str]
    scale: Literal["zero", "follow", "share"] = "zero"
    positive: bool = False
    to_the_end: bool = False

    def figures(self, cursor: float | None, palette: Palette) -> list[Figure]:
        """What the title says: the newest values, or those at the cursor, the raw ones too."""
        found = []
        for series in self.series:
            aside = series.kind == "faint" and len(self.series) > 1
            if series.told == "none" or (cursor is None and (aside or series.told == "cursor")):
                continue
            value = at_step(series.steps, series.values, math.inf if cursor is None else cursor)
            if cursor is None and math.isnan(value):
                value = next((v for v in reversed(series.values[-1000:]) if math.isfinite(v)), math.nan)
            if len(series.values):
                text = (self.write if cursor is None else self.exact)(value)
                sign = sign_of(series.sign, palette.ascii)
                rank = 0 if aside else 1 if series.told == "cursor" else 2
                found.append(Figure(sign, series.rgb(palette), series.name, text, rank))
        return found

    def draw(
        self, width: int, height: int, viewport: Viewport, progress: Progress, palette: Palette, *, log: bool = False
    ) -> tuple[Rows, int]:
        """The chart, see :func:`workbench.tui.charts.drawing.draw`, and the cells left of its curves."""
        import numpy as np

        low, high = viewport.window(progress)
        pieces = [self._piece(series, low, high, 2 * width) for series in self.series]
        y = self._axis(pieces, curve_rows(height), low, high, viewport.whole, log and self.positive)
        left, across, _ = plot_area(y, width, height) or (0, width, 0)
        x = viewport.axis(progress, across)
        layers: list[Layer] = []
        labels: list[Label] = []
        for series, (steps, values) in zip(self.series, pieces, strict=True):
            points = list(zip(viewport.places(steps, progress).tolist(), values.tolist(), strict=True))
            if series.kind == "marks":
                points = [point for point in points if x.low <= point[0] <= x.high]
            if log and self.positive:
                points = logarithm(points)
            elif series.kind == "marks":
                points, told = at_edge(points, y, self.write)
                labels += [Label(point, text, series.rgb(palette)) for point, text in told]
            mark = series.sign if series.kind == "marks" else ""
            layers.append(Layer(points, series.rgb(palette), mark, faint=series.kind == "faint"))
        cursor = None
        if viewport.cursor is not None:
            cursor = float(viewport.places(np.array([viewport.cursor]), progress)[0])
        rows = draw(layers, x, y, width, height, palette.frame, labels=labels, cursor=cursor, ascii=palette.ascii)
        return rows, left

    def _piece(self, series: Series, low: float, high: float, count: int) -> Pairs:
        """The points of a series to draw: no more than the chart can tell apart, cut at the window's edges."""
        found = (reduce if series.kind == "faint" else thin)(series.steps, series.values, low, high, count)
        return found if series.kind == "marks" else _cut(found, low, high)

    def _axis(self, pieces: list[Pairs], height: int, low: float, high: float, whole: bool, log: bool) -> Axis:
        seen = [
            (series.kind, values[(steps >= low) & (steps <= high)])
            for series, (steps, values) in zip(self.series, pieces, strict=True)
        ]
        everything = [v for _, values in seen for v in values.tolist()]
        if log:
            return log_axis(everything, height, self.tick)
        # Single raw values may lie far out; their curve leaves the chart there.
        calm = [v for kind, values in seen if kind == "line" for v in values.tolist()]
        marks = [v for kind, values in seen if kind == "marks" for v in values.tolist()]
        if self.scale != "zero":
            limits = followed(calm, marks) or followed(everything, ())
            return fitted_axis(limits or (0.0, 1.0), height, self.tick, 1.0 if self.scale == "share" else math.inf)
        calm = calm + marks if any(map(math.isfinite, calm + marks)) else everything
        return (zero_axis if whole else span_axis)(calm, height, write=self.tick)


def at_edge(
    points: Sequence[tuple[float, float]], y: Axis, write: Callable[[float], str]
) -> tuple[list[tuple[float, float]], list[tuple[tuple[float, float], str]]]:
    """Points, those beyond the axis moved to its edge, and for these where they are now and their value in words."""
    moved, told = [], []
    for place, value in points:
        at = min(max(value, y.low), y.high)
        moved.append((place, at))
        if at != value and math.isfinite(value):
            told.append(((place, at), f"{'↑' if value > at else '↓'}{write(value)}"))
    return moved, told


def _cut(pairs: Pairs, low: float, high: float) -> Pairs:
    """The points with those beyond the window moved onto its edges, at the value that the line has there."""
    steps, values = pairs
    if len(steps) > 1 and steps[0] < low < steps[1]:
        values[0] += (values[1] - values[0]) * (low - steps[0]) / (steps[1] - steps[0])
        steps[0] = low
    if len(steps) > 1 and steps[-2] < high < steps[-1]:
        values[-1] = values[-2] + (values[-1] - values[-2]) * (high - steps[-2]) / (steps[-1] - steps[-2])
        steps[-1] = high
    return steps, values
