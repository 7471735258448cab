"""The charts of a run: what each shows, which can be seen, which one has the whole room."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from workbench.devices import GIB
from workbench.format import percent
from workbench.tui.charts.columns import Curve, numbers
from workbench.tui.charts.drawing import Writer
from workbench.tui.charts.plot import Plot, Series
from workbench.tui.charts.viewport import Progress, Viewport, short
from workbench.tui.charts.widgets import PlotView
from workbench.tui.common.palette import Palette
from workbench.tui.common.words import number, significant
from workbench.tui.compat.composed import Composed
from workbench.tui.run.view import RunView

COUNT = 6
AT_ONCE = 2
"""Charts that a narrow screen shows at a time."""


class RunCharts(Composed, Container):
    """All charts on a wide screen, two of them on a narrow one, or one in full."""

    class Moved(Message):
        """The mouse moved the axis or the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.viewport = Viewport()
        self.charts = [PlotView(id=f"chart-{number}") for number in range(COUNT)]
        self._view = RunView()
        self._palette = Palette()
        self._full: PlotView | None = None
        self._first = 0
        self._wide = False
        self._logarithmic: set[str] = set()
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield from self.charts

    def show(self, view: RunView, palette: Palette, *, wide: bool, force: bool = False) -> None:
        """Show a run; draws only what changed and can be seen."""
        if view is not self._view and view.started != self._view.started:
            self.viewport = Viewport(unit=self.viewport.unit, smoothing=self.viewport.smoothing)
        shown = (id(view), view.version, palette, wide)
        self._view, self._palette = view, palette
        if force or shown != self._shown:
            if wide != self._wide or not self._shown:
                self._wide = wide
                self._arrange()
            self._shown = shown
            self._draw()

    @property
    def in_view(self) -> list[PlotView]:
        """The charts that can be seen."""
        if self._full is not None:
            return [self._full]
        return self.charts if self._wide else self.charts[self._first : self._first + AT_ONCE]

    @property
    def full(self) -> bool:
        """Whether one chart has the whole room."""
        return self._full is not None

    @property
    def chosen(self) -> PlotView:
        """The chart in focus, else the first one that can be seen."""
        return next((chart for chart in self.in_view if chart.has_focus), self.in_view[0])

    def _arrange(self) -> None:
        visible = self.in_view
        for chart in self.charts:
            chart.display = chart in visible
        self.set_class(self._full is not None, "-full")

    def _draw(self) -> None:
        view = self._view
        if not view.version:
            for chart in self.charts:
                chart.clear()
            return
        progress = progress_of(view)
        for chart, plot in zip(self.charts, plots(view, self.viewport.smoothing), strict=True):
            if chart.display:
                chart.show(plot, self.viewport, progress, self._palette, log=plot.title in self._logarithmic)

    def change(self, what: Callable[[RunCharts], object]) -> None:
        """Do something to the axis or the choice of charts, and draw."""
        if self._view.version:
            what(self)
            self._draw()

    def on_plot_view_asked(self, message: PlotView.Asked) -> None:
        """The mouse zooms, drags, points."""
        message.stop()
        progress = progress_of(self._view)
        viewport = self.viewport
        match message.what:
            case "zoom":
                viewport.zoom(message.amount, progress, viewport.step_at(message.share, progress))
            case "pan":
                viewport.pan(message.amount, progress)
            case "cursor":
                viewport.put(viewport.step_at(message.share, progress), progress)
            case _:
                viewport.reset()
        self._draw()
        self.post_message(self.Moved())

    # What keys do

    def move_cursor(self, direction: int) -> None:
        """The cursor by about a cell."""
        cells = max(20, self.chosen.size.width - 6)  # a chart that was just given the room has no size yet
        self.change(lambda charts: charts.viewport.move(direction, cells, progress_of(charts._view)))

    def zoom(self, factor: float) -> None:
        """Show ``factor`` times as much."""
        self.change(lambda charts: charts.viewport.zoom(factor, progress_of(charts._view)))

    def pan(self, share: float) -> None:
        """Move the window by a share of itself."""
        self.change(lambda charts: charts.viewport.pan(share, progress_of(charts._view)))

    def toggle_log(self) -> None:
        """The chart in focus on a logarithmic scale, or back."""
        plot = self.chosen.plot_shown
        if plot is not None and plot.positive:
            self._logarithmic ^= {plot.title}
            self._draw()

    def toggle_full(self) -> None:
        """The chart in focus alone, or all again."""
        chart = self.chosen
        self._full = None if self._full is not None else chart
        self._arrange()
        self._draw()

    def next_charts(self) -> None:
        """The next two on a narrow screen; the next one in full."""
        if self._full is not None:
            self._full = self.charts[(self.charts.index(self._full) + 1) % COUNT]
        elif not self._wide:
            self._first = (self._first + AT_ONCE) % COUNT
        if self.screen.focused in self.charts and self.screen.focused not in self.in_view:
            self.in_view[0].focus(scroll_visible=False)
        self._arrange()
        self._draw()

    def back(self) -> None:
        """Hide the cursor; without one, leave full screen."""
        if self.viewport.cursor is not None:
            self.viewport.cursor = None
            self._draw()
        elif self._full is not None:
            self.toggle_full()

    @property
    def note(self) -> str:
        """Where the cursor stands, or what the x axis counts and how much is smoothed."""
        viewport = self.viewport
        if viewport.cursor is not None:
            return viewport.where(viewport.cursor, progress_of(self._view))
        return ""


MARKS = {"validation": "▲", "test": "◆"}


def progress_of(view: RunView) -> Progress:
    """What the axes need to know of a run."""
    newest = max([view.step, *(found[-1].step for found in view.evaluated.values() if found)])
    return Progress(view.steps_seen, view.seconds, max(1, view.steps), view.steps_per_epoch, newest)


def plots(view: RunView, smoothing: int) -> list[Plot]:
    """All charts of a run, the most important first. The last two tell of the GPU, or of the process on a CPU run."""
    return [
        Plot("Loss", _learning(view, view.loss, "loss", smoothing), number, _digits(5), short, "follow", positive=True),
        Plot(
            "Accuracy", _learning(view, view.accuracy, "accuracy", smoothing), _share(1), _share(2), _share(0), "share"
        ),
        Plot("Learning rate", _learning_rate(view), significant, _significant(6), short, positive=True),
        Plot("Throughput", (_line(view.rate, "img/s", "smooth"),), _thousands, _thousands, short),
        *_machine(view),
    ]


def _learning(view: RunView, curve: Curve, what: str, smoothing: int) -> tuple[Series, ...]:
    """Training, raw and smoothed, and the evaluations."""
    found = []
    if any(map(math.isfinite, curve.values[-1:])) or math.isfinite(curve.latest()):  # not where targets are mixed
        found.append(Series("raw", curve.steps, curve.values, "raw", "faint"))
        found.append(Series("train", curve.steps, curve.smoothed(smoothing), "smooth"))
    for split, sign in MARKS.items():
        events = view.evaluated.get(split, [])
        if events:
            steps, values = array("d", (e.step for e in events)), array("d", (getattr(e, what) for e in events))
            found.append(Series(split, steps, values, split, "marks", sign))
    return tuple(found)


def _learning_rate(view: RunView) -> tuple[Series, ...]:
    """What it was, and while the run goes on, what the recipe plans and a mark for now."""
    curve = view.learning_rate
    went = Series("rate", curve.steps, curve.values, "smooth")
    plan = view.started.learning_rates if view.started is not None and not view.ended else ()
    if not plan:
        return (went,)
    steps, rates = (array("d", column) for column in zip(*plan, strict=True))
    now = len(curve.values) - 1 if len(curve.values) else 0
    return (
        Series("planned", steps, rates, "raw", newest=False),
        went,
        Series("now", curve.steps[now:], curve.values[now:], "smooth", "marks", "●", newest=False),
    )


def _line(curve: Curve, name: str, colour: str = "smooth") -> Series:
    return Series(name, curve.steps, curve.values, colour, "faint")


def _machine(view: RunView) -> list[Plot]:
    machine = view.machine
    steps = machine.steps(view.times, view.steps_seen, view.begun_at)

    def series(name: str, label: str, scale: float = 1.0) -> tuple[Series, ...]:
        values = array("d", (numbers(machine.figures[name]) * scale).tobytes())
        return (Series(label, steps, values, "validation", "faint"),)

    if "gpu" in machine.known:
        total = f"GiB of {machine.gpu_memory_total / GIB:.0f}"
        return [
            Plot("GPU memory", series("gpu_memory", total, 1 / GIB), _digits(1), _digits(3), short),
            Plot("GPU use", series("gpu", "busy"), _share(0), _share(0), _share(0), "share"),
        ]
    return [
        Plot("CPU", series("cpu", "of a core"), _share(0), _share(0), _share(0)),
        Plot("Memory", series("memory", "GiB", 1 / GIB), _digits(2), _digits(3), short),
    ]


def _digits(places: int) -> Writer:
    return lambda value: number(value, places)


def _share(places: int) -> Writer:
    return lambda value: percent(value, places)


def _significant(digits: int) -> Writer:
    return lambda value: f"{value:.{digits}g}" if math.isfinite(value) else "–"


def _thousands(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "–"
