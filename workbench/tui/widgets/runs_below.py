"""The lower part of Runs: details, chart, or nothing; the first two beside each other where there is room."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from workbench.tui.composed import Composed
from workbench.tui.run_curves import METRICS, XS
from workbench.tui.widgets.run_below import OverlayPane, RunDetails

VIEWS = ("details", "overlay", "none")


class RunsBelow(Composed, Horizontal):
    """What is shown, and how the chart shows it. ``allowed``: there is a run to show anything of."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.details, self.overlay = RunDetails(id="run-details"), OverlayPane(id="overlay")
        self.view, self.metric, self.x = VIEWS[0], METRICS[0], XS[0]
        self._allowed = True

    def compose(self) -> ComposeResult:
        yield self.details
        yield self.overlay

    def on_mount(self) -> None:
        self._show()

    @property
    def chart_in_sight(self) -> bool:
        """Whether the chart can be seen."""
        return self.view == "overlay" or (self.view == "details" and self._wide)

    @property
    def remembered(self) -> dict[str, Any]:
        """What the next session in this folder begins with."""
        return {"view": self.view, "metric": self.metric, "x": self.x}

    def restore(self, before: dict[str, Any]) -> None:
        """Take up what an earlier session remembered."""
        for name, known in (("view", VIEWS), ("metric", METRICS), ("x", XS)):
            if before.get(name) in known:
                setattr(self, name, before[name])
        self._show()

    def allow(self, allowed: bool) -> None:
        """Whether there is a run to show anything of."""
        self._allowed = allowed
        self._show()

    def next_view(self) -> None:
        """Details, chart, or only the table; where there is room, the first two are one."""
        views = ("details", "none") if self._wide else VIEWS
        self.view = views[(views.index(self.view) + 1) % len(views)] if self.view in views else views[0]
        self._show()

    def next_metric(self) -> None:
        """The chart's next figure."""
        self.metric = METRICS[(METRICS.index(self.metric) + 1) % len(METRICS)]
        self._bring_chart()

    def next_x(self) -> None:
        """Epochs, steps or time."""
        self.x = XS[(XS.index(self.x) + 1) % len(XS)]
        self._bring_chart()

    @property
    def _wide(self) -> bool:
        return self.screen.has_class("-wide")

    def _bring_chart(self) -> None:
        if not self.chart_in_sight:
            self.view = "details" if self._wide else "overlay"
            self._show()

    def _show(self) -> None:
        shown = self._allowed and self.view != "none"
        if self.display != shown:
            self.display = shown
        self.details.set_class(self.view == "details", "-current")
        self.overlay.set_class(self.view == "overlay", "-current")
