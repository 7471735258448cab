"""Runs over each other: their colours and marks, the chart of one figure of each of them, and its pane."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from workbench.format import duration, percent
from workbench.tui.charts.columns import Point
from workbench.tui.charts.drawing import Axis, Drawing, Layer, apart, draw, logarithm, nice_ticks
from workbench.tui.charts.engine import Rows
from workbench.tui.charts.widgets import Chart
from workbench.tui.common.palette import Palette
from workbench.tui.common.widgets import Text, show_border
from workbench.tui.common.words import cut_apart, shared_out
from workbench.tui.compat.composed import Composed
from workbench.tui.runs.lister import Curves
from workbench.visible import visible


@dataclass(frozen=True)
class Look:
    """How a run is told from the others: a colour and, for those who cannot tell colours, a mark."""

    mark: str
    colour: tuple[int, int, int]

    @property
    def hex(self) -> str:
        """The colour as styles write it."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


LOOKS = (
    Look("●", (0x3F, 0x98, 0xCF)),
    Look("▲", (0xDB, 0x63, 0x20)),
    Look("■", (0x00, 0x9B, 0x70)),
    Look("◆", (0xC2, 0x70, 0x9D)),
    Look("▼", (0xBF, 0x87, 0x00)),
    Look("★", (0x8A, 0x7B, 0xE8)),
    Look("✚", (0x80, 0x8A, 0x95)),
    Look("✖", (0x24, 0x77, 0xC4)),
)
"""After Okabe and Ito, darkened or lightened until each has a contrast of 3 on white and on the workbench's black."""


class Selection:
    """The runs that were chosen, in that order. A run keeps its look as long as it is chosen, whoever comes and goes.

    It gets the look that its name stands for; where another one has that, the next free one.
    """

    def __init__(self) -> None:
        self.looks: dict[str, Look] = {}

    def __len__(self) -> int:
        return len(self.looks)

    def toggle(self, name: str) -> bool:
        """Choose a run, or no longer; False if no look is left for it."""
        if self.looks.pop(name, None) is not None:
            return True
        found = self.free(name)
        if found is not None:
            self.looks[name] = found
        return found is not None

    def free(self, name: str) -> Look | None:
        """The look that a run would get; None if all are taken."""
        first = zlib.crc32(name.encode()) % len(LOOKS)
        taken = set(self.looks.values())
        return next((look for look in (*LOOKS[first:], *LOOKS[:first]) if look not in taken), None)

    def keep(self, names: Iterable[str]) -> None:
        """Forget the runs that are no longer there."""
        there = set(names)
        self.looks = {name: look for name, look in self.looks.items() if name in there}

    def drop(self, names: Iterable[str]) -> None:
        """Choose these no longer."""
        for name in names:
            self.looks.pop(name, None)

    def clear(self) -> None:
        """Choose none."""
        self.looks = {}


def doubled(value: float, start: float) -> float:
    """The smallest ``start`` × 2ⁿ, n ≥ 0, that is not below a value."""
    limit = start
    while limit < value and math.isfinite(value):
        limit *= 2
    return limit


def overlay_drawing(shown: Sequence[tuple[Curves, Look]], metric: str, x: str, palette: Palette) -> Drawing:
    """One curve a run: ``metric`` and ``x`` as in :mod:`workbench.tui.runs.lister`. Losses are logarithmic.

    Each curve bears its run's mark: where it was evaluated, or at its end. Where curves coincide they take turns.
    """
    curves = [(curve.points(metric, x), look) for curve, look in shown]
    curves = [(points, look) for points, look in curves if any(math.isfinite(v) for _, v in points)]

    def drawing(width: int, height: int) -> Rows:
        if not curves:
            return []
        share = metric.endswith("accuracy")
        values = [v for points, _ in curves for _, v in points]
        y = share_axis([_last(points) for points, _ in curves], height) if share else loss_axis(values, height)
        scaled: Callable[[Iterable[Point]], list[Point]] = list if share else logarithm
        lines, marks = [], []
        for number, (points, look) in enumerate(curves):
            lines.append(Layer(scaled(points), look.colour))
            places = marked(points, max(1, width // 12), number, len(curves))
            marks.append(Layer(scaled(places), look.colour, mark=look.mark))
        end = max(place for points, _ in curves for place, _ in points)
        across = x_axis(end, x, width)
        lines = apart(lines, across, y, width, height)
        return draw([*lines, *marks], across, y, width, height, palette.frame, ascii=palette.ascii)

    return drawing


def hidden(shown: Sequence[tuple[Curves, Look]], metric: str) -> str:
    """What the chart of :func:`overlay_drawing` has no room for, in words; "" if all is in it."""
    curves = [[v for _, v in curve.points(metric, "step") if math.isfinite(v)] for curve, _ in shown]
    curves = [values for values in curves if values]
    if not metric.endswith("accuracy"):
        none = sum(any(v <= 0 for v in values) for values in curves)
        return f"{_of(none, len(curves))} reach{'es' if none == 1 else ''} 0, which has no place here" if none else ""
    low = share_axis([values[-1] for values in curves], 8).low
    lower = sum(values[0] < low for values in curves)
    dips = sum(values[0] >= low > min(values) for values in curves)
    edge = f"below {100 * low:.4g} %"
    said = [f"{_of(lower, len(curves))} start{'s' if lower == 1 else ''} {edge}" if lower else ""]
    said += [f"{_of(dips, len(curves))} fall{'s' if dips == 1 else ''} {edge}" if dips else ""]
    return " · ".join(filter(None, said))


def _of(count: int, all_of_them: int) -> str:
    return f"{count} of {all_of_them}" if all_of_them > 1 else "it"


def marked(points: Sequence[Point], most: int, number: int = 0, curves: int = 1) -> list[Point]:
    """The points that bear a mark: the last one and, counted back from it, every second, fourth, … if they are many.

    Where there are several curves, each has its own turn (``number`` of them), so that no mark hides another's.
    """
    known = [point for point in points if math.isfinite(point[1])][::-1]
    spacing = 1
    while len(known) / spacing > most or (spacing < curves and spacing < len(known)):
        spacing *= 2
    return known[:1] + known[1:][number * spacing // curves :: spacing]


def share_axis(ends: Iterable[float], height: int) -> Axis:
    """Up to 100 %, from so low that the ends of all curves lie in the upper half; the limit moves by doubling."""
    gap = 1 - min((v for v in ends if math.isfinite(v)), default=0.0)
    low = max(0.0, 1 - doubled(min(1.0, 2 * gap), 1 / 64))
    ticks = nice_ticks(low, 1, max(2, height // 3))
    places = 0 if all(abs(100 * t - round(100 * t)) < 1e-6 for t in ticks) else 1
    return Axis(low, 1, [(t, percent(t, places)) for t in ticks])


def loss_axis(values: Iterable[float], height: int) -> Axis:
    """In log10: from 1, 2 or 5 × 10ⁿ below all values to one above them."""
    found = [min(max(v, 1e-300), 1e300) for v in values if math.isfinite(v) and v > 0]  # marks beyond are no floats
    low, high = min(found, default=0.1), max(found, default=1.0)
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    marks = [s * 10.0**d for d in decades for s in (1, 2, 5)]
    first = max((i for i, m in enumerate(marks) if m <= low), default=0)
    last = next((i for i, m in enumerate(marks) if m >= high and i > first), len(marks) - 1)
    spacing = max(1, math.ceil((last - first) / max(2, height // 3)))
    ticks = [(math.log10(m), f"{m:g}") for m in marks[first : last + 1 : spacing]]
    return Axis(math.log10(marks[first]), math.log10(marks[last]), ticks)


def x_axis(end: float, x: str, width: int) -> Axis:
    """From 0 to the end of the longest run, in epochs, steps or training time."""
    high = end if end > 0 else 1.0
    ticks = nice_ticks(0, high, max(2, width // 12))
    words = [(t, duration(t) if x == "time" else f"{t:,.10g}") for t in ticks]
    return Axis(0, high, words, {"epoch": "epochs", "step": "steps", "time": "training"}[x])


def _last(points: Sequence[Point]) -> float:
    return next((v for _, v in reversed(points) if math.isfinite(v)), math.nan)


Shown = Sequence[tuple[Curves, Look]]

LEAST = 5
"""Cells of a run's label in the title that still say something."""


class OverlayPane(Composed, Vertical):
    """One figure of several runs; the title names the runs by their marks."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.chart = Chart()
        self.nothing = Text(id="overlay-nothing")
        self._drawn: tuple[object, ...] = ()
        self._titled: tuple[str, tuple[tuple[str, str, str], ...]] = ("", ())

    def compose(self) -> ComposeResult:
        yield self.nothing
        yield self.chart

    def show(self, shown: Shown, labels: Sequence[str], metric: str, x: str, palette: Palette) -> None:
        """Draw the curves, if they are others than before. labels: what each of them is, for the title."""
        titled = (metric, tuple((look.mark, look.hex, label) for (_, look), label in zip(shown, labels, strict=False)))
        if titled != self._titled:
            self._titled = titled
            self._show_title()
        drawn = (tuple((curves, look) for curves, look in shown), metric, x, palette)
        if _same(drawn, self._drawn):
            return
        self._drawn = drawn
        show_border(self, title_below=Content(hidden(shown, metric)))
        known = [curves for curves, _ in shown if curves.values.get(metric)]
        self.nothing.display = not known
        self.chart.display = bool(known)
        if not known:
            self.nothing.show(Content.styled(f"no {metric} in these runs; m shows another figure", "$muted"))
        self.chart.plot(overlay_drawing(shown, metric, x, palette) if known else None)

    def _show_title(self) -> None:
        """The figure and the runs by their marks, each with as much of its label as there is room for."""
        metric, runs = self._titled
        labels = [label for _, _, label in runs]
        room = self.size.width - len(metric) - 6 - 3 * len(runs)
        widths = shared_out([len(visible(label, keep="")) for label in labels], room)
        if any(width < min(len(label), LEAST) for width, label in zip(widths, labels, strict=True)):
            labels, widths = [""] * len(runs), [0] * len(runs)  # the marks alone, which the table explains
        words = [
            Content.assemble((mark, colour), f" {label}" if label else "")
            for (mark, colour, _), label in zip(runs, cut_apart(labels, widths), strict=True)
        ]
        show_border(self, Content(" ").join([Content(metric), *words]))

    def on_resize(self) -> None:
        self._show_title()


def _same(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Curves are compared by identity: a reader gives the same object where nothing is new."""
    if not right or left[1:] != right[1:]:
        return False
    one, other = left[0], right[0]
    assert isinstance(one, tuple) and isinstance(other, tuple)
    return len(one) == len(other) and all(a[0] is b[0] and a[1] == b[1] for a, b in zip(one, other, strict=True))
