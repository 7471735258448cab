"""Charts as ANSI text: axes with round ticks, curves in braille dots, signs for single points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from workbench.tui.charts.canvas import Canvas, Run, clipped, inside
from workbench.tui.common.palette import Colour

Point = tuple[float, float]
Writer = Callable[[float], str]
"""How a number is written beside its tick."""

FLOOR = 1e-300
"""What zero and less count as on a logarithmic axis: a line to them leaves the chart downwards."""
DECADES = 12
"""A logarithmic axis holds no more, counted from the highest value."""

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
    "└": "+",
    "┬": "+",
    "─": "-",
}
"""What stands for a sign where a terminal has only ASCII."""


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
class Axis:
    """The range of an axis and its ticks: places and words."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = field(default_factory=tuple)


def draw(
    layers: Iterable[Layer],
    x: Axis,
    y: Axis,
    width: int,
    height: int,
    frame: Colour,
    *,
    cursor: float | None = None,
    ascii: bool = False,
) -> str:
    """The chart as ``height`` lines of ``width`` cells with ANSI colours; "" where there is no room for one.

    What lies beyond the axes is not drawn; a line ends where it crosses them.

    cursor: a place on the x axis to mark with an upright line. ascii: with ASCII signs alone.
    """
    room = plot_area(y, width, height)
    if room is None:
        return ""
    left, across, down = room
    canvas = Canvas(across, down, ascii=ascii)
    dots_across, dots_down = canvas.dots
    right = (dots_across - 1) / ((x.high - x.low) or 1.0)
    upwards = (dots_down - 1) / ((y.high - y.low) or 1.0)

    def place(point: Point) -> Point:
        # One on an edge may lie beyond it by a rounding.
        px, py = min(max(point[0], x.low), x.high), min(max(point[1], y.low), y.high)
        return (px - x.low) * right, (y.high - py) * upwards

    limits = (x.low, x.high), (y.low, y.high)
    for layer in layers:
        if layer.mark:
            sign = sign_of(layer.mark, ascii)
            for point in inside(layer.points, *limits):
                canvas.mark(*place(point), sign, layer.colour)
            continue
        for stretch in clipped(layer.points, *limits):
            canvas.line([place(point) for point in stretch], layer.colour, "." if layer.faint else "*")
    if cursor is not None and x.low <= cursor <= x.high:
        canvas.upright((cursor - x.low) * right, sign_of("┊", ascii), frame)
    return _framed(canvas.rows(), x, y, left, frame, ascii)


def plot_area(y: Axis, width: int, height: int) -> tuple[int, int, int] | None:
    """Cells left of the curves, and cells across and down for them; None where there is no room for a chart."""
    if width < 12 or height < 4:
        return None
    left = max((len(word) for _, word in y.ticks), default=0) + 1
    return (left, width - left, height - 2) if width - left >= 4 else None


def sign_of(sign: str, ascii: bool) -> str:
    """A sign, or what stands for it in ASCII."""
    return ASCII_SIGNS.get(sign, "o") if ascii else sign


def _framed(rows: list[list[Run]], x: Axis, y: Axis, left: int, frame: Colour, ascii: bool) -> str:
    """The curves with their axes: ticks with words at the left, and two lines below."""
    height, width = len(rows), sum(len(text) for text, _ in rows[0])
    bar, tick, corner, under, dash = (sign_of(sign, ascii) for sign in "│┤└┬─")
    words = {round((y.high - t) / ((y.high - y.low) or 1.0) * (height - 1)): word for t, word in y.ticks}
    lines = []
    for number, row in enumerate(rows):
        word = words.get(number, "")
        lines.append(_ansi([(word.rjust(left - 1) + (tick if number in words else bar), frame), *row]))
    line, below = [dash] * width, [" "] * (left + width)
    free = 0
    for t, word in x.ticks:
        at = round((t - x.low) / ((x.high - x.low) or 1.0) * (width - 1))
        start = min(max(left + at - len(word) // 2, 0), left + width - len(word))
        if start >= free and 0 <= at < width:
            line[at] = under
            below[start : start + len(word)] = word
            free = start + len(word) + 1
    lines.append(_ansi([(" " * (left - 1) + corner + "".join(line), frame)]))
    lines.append(_ansi([("".join(below).rstrip(), frame)]))
    return "\n".join(lines)


def _ansi(runs: Iterable[Run]) -> str:
    return "".join(text if colour is None else f"\x1b[{_code(colour)}m{text}\x1b[0m" for text, colour in runs)


def _code(colour: Colour) -> str:
    return f"38;5;{colour}" if isinstance(colour, int) else "38;2;{};{};{}".format(*colour)


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


Drawing = Callable[[int, int], str]
"""Draws a chart for a width and a height."""
