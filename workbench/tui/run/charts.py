"""The charts of a run: which can be seen, which one has the whole room, what keys do to them."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from workbench.tui.charts.viewport import Viewport
from workbench.tui.charts.widgets import PlotView
from workbench.tui.common.palette import Palette
from workbench.tui.common.screens import WorkbenchScreen
from workbench.tui.compat.composed import Composed
from workbench.tui.run.plots import plots, progress_of
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
        self._pinned: RunView | None = None
        self._palette = Palette()
        self._full: PlotView | None = None
        self._first = 0
        self._wide = False
        self._logarithmic: set[str] = set()
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield from self.charts

    def show(
        self, view: RunView, palette: Palette, *, wide: bool, force: bool = False, pinned: RunView | None = None
    ) -> None:
        """Show a run, with ``pinned`` behind it; draws only what changed and can be seen."""
        if view is not self._view and view.started != self._view.started:
            self.viewport = Viewport(unit=self.viewport.unit, smoothing=self.viewport.smoothing)
        shown = (id(view), view.version, palette, wide, id(pinned))
        self._view, self._palette, self._pinned = view, palette, pinned
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
        for chart, plot in zip(self.charts, plots(view, self.viewport.smoothing, self._pinned), strict=True):
            if chart.display:
                chart.show(
                    plot, self.viewport, progress_of(view, plot), self._palette, log=plot.title in self._logarithmic
                )

    def change(self, what: Callable[[RunCharts], object]) -> None:
        """Do something to the axis or the choice of charts, and draw."""
        if self._view.version:
            what(self)
            self._draw()

    def on_plot_view_asked(self, message: PlotView.Asked) -> None:
        """The mouse zooms, drags, points."""
        message.stop()
        progress = progress_of(self._view, message.view.plot_shown)
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


OF_CHARTS = frozenset(
    {"more_charts", "full", "zoom_in", "zoom_out", "whole", "smoother", "rougher", "log_scale", "x_axis"}
)
"""Actions that need something drawn."""


class ChartsScreen(WorkbenchScreen[None]):
    """What keys do to the charts of the screen that is one of these. The line below them follows each time."""

    def show_axis(self) -> None:
        """Say what the common axis of the charts counts, and where the cursor stands."""
        raise NotImplementedError

    @property
    def charts(self) -> RunCharts:
        """The charts."""
        return self.query_one(RunCharts)

    def on_run_charts_moved(self) -> None:
        """The line below the charts follows the mouse at once."""
        self.show_axis()

    def _make_room(self) -> None:
        """One chart in full has the room of checks and log too."""
        self.query_one("#run-below").display = not self.charts.full
        self.show_axis()

    def action_more_charts(self) -> None:
        """The next two charts, or the next one in full."""
        self.charts.next_charts()
        self.show_axis()

    def action_full(self) -> None:
        """One chart full screen, or all."""
        self.charts.toggle_full()
        self._make_room()

    def action_zoom_in(self) -> None:
        """Half as much."""
        self.charts.zoom(0.5)
        self.show_axis()

    def action_zoom_out(self) -> None:
        """Twice as much."""
        self.charts.zoom(2.0)
        self.show_axis()

    def action_whole(self) -> None:
        """The whole run."""
        self.charts.change(lambda charts: charts.viewport.reset())
        self.show_axis()

    def action_cursor_left(self) -> None:
        """The cursor to the left."""
        self.charts.move_cursor(-1)
        self.show_axis()

    def action_cursor_right(self) -> None:
        """The cursor to the right."""
        self.charts.move_cursor(1)
        self.show_axis()

    def action_pan_left(self) -> None:
        """What lies to the left."""
        self.charts.pan(-0.25)
        self.show_axis()

    def action_pan_right(self) -> None:
        """What lies to the right."""
        self.charts.pan(0.25)
        self.show_axis()

    def action_smoother(self) -> None:
        """More smoothing."""
        self.charts.change(lambda charts: charts.viewport.smooth(1))
        self.show_axis()

    def action_rougher(self) -> None:
        """Less smoothing."""
        self.charts.change(lambda charts: charts.viewport.smooth(-1))
        self.show_axis()

    def action_log_scale(self) -> None:
        """A logarithmic scale, or a linear one."""
        self.charts.toggle_log()
        self.show_axis()

    def action_x_axis(self) -> None:
        """Epochs, time or steps."""
        self.charts.change(lambda charts: charts.viewport.next_unit())
        self.show_axis()

    def action_back(self) -> None:
        """Hide the cursor, leave full screen."""
        self.charts.back()
        self._make_room()
