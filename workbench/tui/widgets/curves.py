"""The two charts of a run: loss and accuracy, training and evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical

from workbench.events import Evaluated
from workbench.tui.charts import (
    Axis,
    Drawing,
    Layer,
    Palette,
    Point,
    band_points,
    draw,
    log_axis,
    logarithm,
    loss_axis,
    percent_axis,
    step_axis,
)
from workbench.tui.run_view import Curve, RunView
from workbench.tui.widgets.chart import Chart
from workbench.tui.words import number, percent

MARKS = {"test": "◆", "validation": "▲"}


class CurvePane(Vertical, can_focus=False):
    """A bordered chart whose title has the newest figures."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self._title = title
        self.border_title = title
        self.border_subtitle = "epochs"
        self.chart = Chart()
        self._figures: list[tuple[str, str, tuple[str, str]]] = []

    def compose(self) -> ComposeResult:
        yield self.chart

    def show(self, figures: Iterable[tuple[str, str, str]], drawing: Drawing | None) -> None:
        """figures: sign with colour name, name, value; shown in the title."""
        self._figures = _split(figures)
        self._show_title()
        self.chart.plot(drawing)

    def _show_title(self) -> None:
        """Names too where there is room for them; the signs say it all."""
        words = [f"[{colour}]{sign}[/] {name} [b]{value}[/b]" for sign, colour, (name, value) in self._figures]
        room = self.size.width - 4  # the border keeps a corner, a line and a space at each end
        if room < len(self._title) + sum(len(name) + len(value) + 4 for _, _, (name, value) in self._figures):
            words = [f"[{colour}]{sign}[/] [b]{value}[/b]" for sign, colour, (_, value) in self._figures]
        self.border_title = " ".join([self._title, *words])

    def on_resize(self) -> None:
        self._show_title()


def _split(figures: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, tuple[str, str]]]:
    signs = {
        "train": ("━", "$primary"),
        "test": (MARKS["test"], "$accent"),
        "validation": (MARKS["validation"], "$secondary"),
    }
    return [(*signs[kind], (name, value)) for kind, name, value in figures]


def loss_figures(view: RunView) -> list[tuple[str, str, str]]:
    """Smoothed training loss and the newest evaluations."""
    figures = [("train", "train", number(view.loss.value))] if view.trained else []
    return figures + [(s, s, number(e.loss)) for s in MARKS if (e := view.latest(s))]


def accuracy_figures(view: RunView) -> list[tuple[str, str, str]]:
    """The same for the accuracy; nothing for training where targets are mixed."""
    known = view.trained is not None and math.isfinite(view.accuracy.value)
    figures = [("train", "train", percent(view.accuracy.value))] if known else []
    return figures + [(s, s, percent(e.accuracy)) for s in MARKS if (e := view.latest(s))]


def loss_drawing(view: RunView, palette: Palette, *, logarithmic: bool) -> Drawing:
    """The loss over the steps; raw values above the axis are drawn at its edge."""

    def drawing(width: int, height: int) -> str:
        values = [v for _, v in view.loss.smooth.line()] + [e.loss for found in view.evaluated.values() for e in found]
        if logarithmic:
            raw = view.loss.raw.extremes()
            return _drawn(
                view, view.loss, log_axis([*values, *(raw or ())], height), palette, width, height, "loss", True
            )
        return _drawn(view, view.loss, loss_axis(values, height), palette, width, height, "loss", False)

    return drawing


def accuracy_drawing(view: RunView, palette: Palette) -> Drawing:
    """The accuracy over the steps."""

    def drawing(width: int, height: int) -> str:
        return _drawn(view, view.accuracy, percent_axis(height), palette, width, height, "accuracy", False)

    return drawing


def _drawn(
    view: RunView, curve: Curve, y: Axis, palette: Palette, width: int, height: int, what: str, logarithmic: bool
) -> str:
    def scaled(points: Iterable[Point]) -> list[Point]:
        return logarithm(points) if logarithmic else list(points)

    # Two braille dots a cell: more stretches than that cannot be told apart.
    raw = scaled(band_points(curve.raw.band(2 * width)))
    layers = [Layer(raw, palette.raw), Layer(scaled(curve.smooth.line()), palette.smooth)]
    for split, colour in (("validation", palette.validation), ("test", palette.test)):
        found: list[Evaluated] = view.evaluated.get(split, [])
        marks = scaled((e.step, getattr(e, what)) for e in _thinned(found, width // 2))
        layers.append(Layer(marks, colour, mark=MARKS[split]))
    step = max([view.step, *(found[-1].step for found in view.evaluated.values() if found)])
    x = step_axis(step, view.steps, view.steps_per_epoch, width)
    return draw(layers, x, y, width, height, palette.frame)


def _thinned(found: list[Evaluated], most: int) -> list[Evaluated]:
    """At most so many evaluations: every second, fourth, … so that the ones that are shown stay."""
    spacing = 1
    while len(found) / spacing > max(1, most):
        spacing *= 2
    return [event for i, event in enumerate(found, 1) if i % spacing == 0]
