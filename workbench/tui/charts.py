"""Charts as ANSI text, drawn by plotext. Its figure is a global: call these from the UI thread alone."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Colour = tuple[int, int, int]
Point = tuple[float, float]

FLOOR = 1e-6
"""Values are not drawn below this on a logarithmic axis."""


@dataclass(frozen=True)
class Palette:
    """Colours of a chart: its frame, the raw and the smoothed curve, and the two kinds of marks."""

    frame: Colour = (110, 118, 129)
    raw: Colour = (61, 85, 115)
    smooth: Colour = (108, 182, 255)
    test: Colour = (227, 179, 65)
    validation: Colour = (176, 131, 240)


@dataclass(frozen=True)
class Layer:
    """One series. Points that are not finite are gaps. ``mark``: single points with that sign instead of a line."""

    points: Sequence[Point]
    colour: Colour
    mark: str = ""


@dataclass(frozen=True)
class Axis:
    """The range of an axis and its ticks: places and words."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = field(default_factory=tuple)


def draw(layers: Iterable[Layer], x: Axis, y: Axis, width: int, height: int, frame: Colour) -> str:
    """The chart as ``height`` lines of ``width`` cells with ANSI colours; "" where there is no room for one."""
    if width < 12 or height < 4:
        return ""
    plt: Any = importlib.import_module("plotext")
    plt.clear_figure()
    plt.limit_size(False, False)
    plt.plot_size(width, height)
    plt.theme("clear")
    for layer in layers:
        if layer.mark:
            points = [_inside(p, x, y) for p in layer.points if _finite(p)]
            if points:
                plt.scatter(*_columns(points), marker=layer.mark, color=layer.colour)
            continue
        for stretch in _stretches(layer.points):
            points = [_inside(p, x, y) for p in stretch]
            if len(points) == 1:
                plt.scatter(*_columns(points), marker="braille", color=layer.colour)
            else:
                plt.plot(*_columns(points), marker="braille", color=layer.colour)
    plt.xlim(x.low, x.high)
    plt.ylim(y.low, y.high)
    plt.xticks([place for place, _ in x.ticks], [word for _, word in x.ticks])
    plt.yticks([place for place, _ in y.ticks], [word for _, word in y.ticks])
    plt.xaxes(True, False)
    plt.yaxes(True, False)
    plt.grid(False, False)
    plt.ticks_color(frame)
    plt.axes_color("default")
    plt.canvas_color("default")
    text: str = plt.build()
    plt.clear_figure()
    return text.rstrip("\n")


def band_points(band: Iterable[tuple[float, float, float]]) -> list[Point]:
    """The zigzag through minimum and maximum of each stretch: what a raw curve is drawn as."""
    points: list[Point] = []
    upwards = True
    for middle, low, high in band:
        if low == high:
            points.append((middle, low))
        else:
            points += [(middle, low), (middle, high)] if upwards else [(middle, high), (middle, low)]
            upwards = not upwards
    return points


def doubled(value: float, start: float) -> float:
    """The smallest ``start`` × 2ⁿ, n ≥ 0, that is not below a value."""
    limit = start
    while limit < value and math.isfinite(value):
        limit *= 2
    return limit


def step_axis(step: int, steps: int, steps_per_epoch: int, width: int) -> Axis:
    """The axis of a run, in steps with ticks in epochs. It shows at least a 64th of the run and grows by doubling."""
    steps = max(1, steps)
    high = float(steps)
    for power in range(6, 0, -1):
        if step <= steps / 2**power:
            high = steps / 2**power
            break
    epochs = high / max(1, steps_per_epoch)
    return Axis(0, high, [(e * steps_per_epoch, _number(e)) for e in nice_ticks(0, epochs, max(2, width // 10))])


def loss_axis(values: Iterable[float], height: int) -> Axis:
    """From 0 to 2.5 × 2ⁿ: ln 10 fits below the first limit, ln 100 below the second."""
    top = max((v for v in values if math.isfinite(v)), default=2.5)
    high = doubled(top, 0.15625)
    return Axis(0, high, [(t, _number(t)) for t in nice_ticks(0, high, max(2, height // 3))])


def log_axis(values: Iterable[float], height: int) -> Axis:
    """Whole decades in log10 that hold all values."""
    found = [v for v in values if math.isfinite(v) and v > 0]
    low = math.floor(math.log10(max(FLOOR, min(found, default=0.1))))
    high = max(low + 1, math.ceil(math.log10(max(FLOOR, max(found, default=1.0)))))
    steps = (1, 2, 5) if (high - low) * 3 <= height else (1,)
    ticks = [(d + math.log10(s), _number(s * 10.0**d)) for d in range(low, high) for s in steps] + [
        (float(high), _number(10.0**high))
    ]
    return Axis(low, high, ticks)


def logarithm(points: Iterable[Point]) -> list[Point]:
    """The points with log10 of their values; zero and less become the floor, not finite ones stay gaps."""
    return [(x, math.log10(max(FLOOR, v)) if math.isfinite(v) else math.nan) for x, v in points]


def percent_axis(height: int) -> Axis:
    """0–100 %."""
    return Axis(0, 1, [(t, f"{t:.0%}") for t in (nice_ticks(0, 1, max(2, height // 3)))])


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


def _finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _stretches(points: Iterable[Point]) -> list[list[Point]]:
    """The parts of a curve between its gaps."""
    parts: list[list[Point]] = [[]]
    for point in points:
        if _finite(point):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _inside(point: Point, x: Axis, y: Axis) -> Point:
    """A point beyond the limits is drawn at the edge: plotext would leave it out and break the line."""
    return min(max(point[0], x.low), x.high), min(max(point[1], y.low), y.high)


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [p[0] for p in points], [p[1] for p in points]


Drawing = Callable[[int, int], str]
"""Draws a chart for a width and a height."""
