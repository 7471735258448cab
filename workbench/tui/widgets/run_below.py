"""What stands below the table of runs: the details of what is chosen, and the chart of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from workbench.runs.catalog import Entry
from workbench.tui import run_texts
from workbench.tui.charts import Palette
from workbench.tui.composed import Composed
from workbench.tui.overlay import Look, hidden, overlay_drawing
from workbench.tui.run_curves import Curves
from workbench.tui.run_lister import Details
from workbench.tui.widgets.chart import Chart
from workbench.tui.widgets.pane import Pane, Text
from workbench.tui.words import cut

Shown = Sequence[tuple[Curves, Look]]


class RunDetails(Composed, Vertical):
    """The run under the cursor: head, then recipe and figures beside each other."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Details"
        self._head = Text(id="details-head")
        self._recipe = Pane(id="details-recipe")
        self._figures = Pane(id="details-figures")

    def compose(self) -> ComposeResult:
        yield self._head
        with Horizontal(id="details-sides"):
            yield self._recipe
            yield self._figures

    def show(self, entry: Entry | None, details: Details, looks: Mapping[str, Look]) -> None:
        """Show a run and what it is compared with."""
        if self._head.display != (entry is not None):
            self._head.display = entry is not None
        if entry is not None:
            _show(self._head, run_texts.head(entry))
        for pane, (title, content) in (
            (self._recipe, run_texts.recipe_side(details, looks, self._recipe.size.width - 1)),
            (self._figures, run_texts.figures_side(details, looks)),
        ):
            if pane.border_title != Content(title).markup:
                pane.border_title = Content(title)
            _show(pane.text, content)

    def scroll_sides(self, direction: int) -> None:
        """Scroll recipe and figures by half their height."""
        for pane in (self._recipe, self._figures):
            pane.scroll_relative(y=direction * max(1, pane.size.height // 2), animate=False)


def _show(text: Text, content: Content) -> None:
    """Show a text whose lines never wrap: laying out the screen anew, which sends all of it, only for more or fewer."""
    text.show(content, layout=content.plain.count("\n") != text.plain.count("\n"))


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
        unit = {"epoch": "epochs", "step": "steps", "time": "training time"}[x]
        self.border_subtitle = Content(" · ".join(filter(None, (hidden(shown, metric), unit))))
        known = [curves for curves, _ in shown if curves.values.get(metric)]
        self.nothing.display = not known
        self.chart.display = bool(known)
        if not known:
            self.nothing.show(Content.styled(f"no {metric} in these runs; m shows another figure", "$muted"))
        self.chart.plot(overlay_drawing(shown, metric, x, palette) if known else None)

    def _show_title(self) -> None:
        """The figure and the runs by their marks, each with as much of its label as there is room for."""
        metric, runs = self._titled
        room = (self.size.width - len(metric) - 6) // max(1, len(runs)) - 3
        words = [Content.assemble((mark, colour), f" {cut(label, room)}" if room > 4 else "")
                 for mark, colour, label in runs]  # fmt: skip
        self.border_title = Content(" ").join([Content(metric), *words])

    def on_resize(self) -> None:
        self._show_title()


def _same(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Curves are compared by identity: a reader gives the same object where nothing is new."""
    if not right or left[1:] != right[1:]:
        return False
    one, other = left[0], right[0]
    assert isinstance(one, tuple) and isinstance(other, tuple)
    return len(one) == len(other) and all(a[0] is b[0] and a[1] == b[1] for a, b in zip(one, other, strict=True))
