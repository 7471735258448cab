"""What one chart shows: its series, how its values are written, its scale. No widget; drawn for any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.tui.charts.columns import at_step, reduce, thin
from workbench.tui.charts.drawing import (
    Axis,
    Label,
    Layer,
    curve_rows,
    draw,
    log_axis,
    logarithm,
    plot_area,
    span_axis,
    zero_axis,
)
from workbench.tui.charts.engine import Rows, sign_of
from workbench.tui.charts.limits import fitted_axis, followed
from workbench.tui.charts.viewport import Progress, Viewport
from workbench.tui.common.palette import Colour, Palette

if TYPE_CHECKING:
    from workbench.tui.charts.columns import Numbers

    Pairs = tuple[Numbers, Numbers]

Kind = Literal["faint", "line", "marks"]


@dataclass(frozen=True)
class Series:
    """One curve. steps and values: columns of one length, not finite values are gaps.

    colour: a field of the palette, or a colour. kind: "faint" is drawn through minimum and maximum of what falls into
    a column, "line" through the last value of it, "marks" as single signs. sign: in the title, and of marks. newest:
    whether its newest value says something: that of a plan is its end.
    """

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    colour: str | Colour
    kind: Kind = "line"
    sign: str = "━"
    newest: bool = True

    def rgb(self, palette: Palette) -> Colour:
        """Its colour."""
        return getattr(palette, self.colour) if isinstance(self.colour, str) else self.colour


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

    def figures(self, cursor: float | None, palette: Palette) -> list[tuple[str, Colour, str, str]]:
        """Sign, colour, name and value of the series: the newest values, or those at the cursor, the raw ones too."""
        found = []
        for series in self.series:
            if cursor is None and (not series.newest or (series.kind == "faint" and len(self.series) > 1)):
                continue
            value = at_step(series.steps, series.values, math.inf if cursor is None else cursor)
            if cursor is None and math.isnan(value):
                value = next((v for v in reversed(series.values[-1000:]) if math.isfinite(v)), math.nan)
            if len(series.values):
                text = (self.write if cursor is None else self.exact)(value)
                sign = sign_of(series.sign, palette.ascii)
                found.append((sign, series.rgb(palette), series.name, text))
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
