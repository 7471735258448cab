"""The preview pane: numbers, the learning-rate curve, the checks."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from workbench.recipe.execution import Execution
from workbench.runs.speed import Estimate
from workbench.tui import texts
from workbench.tui.charts import Axis, Drawing, Layer, Palette, draw, nice_ticks
from workbench.tui.composed import Composed
from workbench.tui.preview_state import Picture
from workbench.tui.widgets.chart import Chart
from workbench.tui.widgets.pane import Text
from workbench.tui.words import significant


class PreviewPane(Composed, VerticalScroll, can_focus=False):
    """What would happen if the recipe were run."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Preview"
        self.numbers = Text(classes="pane--text")
        self.rates_title = Text(classes="pane--text chart-title")
        self.rates = Chart(id="rates")
        self.checks = Text(classes="pane--text")
        self._drawn: list[list[float]] = []

    def compose(self) -> ComposeResult:
        yield self.numbers
        yield self.rates_title
        yield self.rates
        yield self.checks

    def show(
        self,
        picture: Picture,
        palette: Palette,
        estimate: Estimate | None = None,
        executed: Execution | None = None,
    ) -> None:
        """Show what is known."""
        self.numbers.show(texts.preview(picture, estimate, executed))
        self.checks.show(texts.preview_checks(picture))
        static = picture.static
        self.rates.display = self.rates_title.display = static is not None
        if static is None or static.learning_rates == self._drawn:
            return
        self._drawn = static.learning_rates
        at, peak = max(static.learning_rates, key=lambda point: point[1])
        where = f" at epoch {at:.2g}" if 0 < at < 10 else f" at epoch {at:.0f}" if at else " from the start"
        self.rates_title.show(Content.assemble(("Learning rate  ", "bold"), (f"{significant(peak)}{where}", "$muted")))
        self.rates.plot(rates_drawing(static.learning_rates, static.steps / static.steps_per_epoch, palette))


def rates_drawing(rates: Sequence[Sequence[float]], epochs: float, palette: Palette) -> Drawing:
    """The learning rate over the epochs of the run."""
    points = [(epoch, rate) for epoch, rate in rates]

    def drawing(width: int, height: int) -> str:
        top = max(rate for _, rate in points) or 1.0
        ticks = nice_ticks(0, top, max(2, height // 3))
        y = Axis(0, max(top, ticks[-1]), [(t, significant(t)) for t in ticks])
        x = Axis(0, epochs, [(t, significant(t)) for t in nice_ticks(0, epochs, max(2, width // 9))])
        return draw([Layer(points, palette.smooth)], x, y, width, height, palette.frame)

    return drawing
