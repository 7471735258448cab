"""How far a measurement is, what went wrong with it, or what is out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content

from workbench.runs.requests import Action
from workbench.tui.widgets.pane import Line

if TYPE_CHECKING:
    from workbench.tui.profiling import Profiling
    from workbench.tui.workbench_app import Workbench

AWAITED: dict[Action, str] = {"stacks": "its stacks", "trace": "a trace"}


class MeasuringLine(Line):
    """One line about ``app.profiling``."""

    def show_profiling(self, profiling: Profiling) -> None:
        """Show what it is at."""
        self.show(self._said(profiling))

    def _said(self, profiling: Profiling) -> Content:
        app = cast("Workbench", self.app)
        if profiling.progress is not None:
            cells = max(8, self.screen.size.width // 5)
            done = round(min(1.0, max(0.0, profiling.progress.share)) * cells)
            full, rest = ("#", ".") if app.settings.ascii else ("━", "─")
            shares = "  while a run trains" if profiling.shares else ""
            return Content.assemble(
                " ", (full * done, "$primary"), (rest * (cells - done), "$muted"),
                f" {profiling.progress.message}", (shares, "$warning"),
            )  # fmt: skip
        if profiling.error:
            return Content.styled(f" ✗ {profiling.error}", "$error")
        if profiling.report is not None and profiling.outdated and profiling.kept is None:
            text = f" {app.editor.recipe.name} was changed since it was measured; {app.key('profile.measure')} measures"
            return Content.styled(f"{text} it anew", "$warning")
        if waiting := [words for what, words in AWAITED.items() if profiling.awaiting(what)]:
            return Content.styled(f" the run was asked for {' and '.join(waiting)}…", "$muted")
        shares = f" measured while {profiling.shares} trained on this machine" if profiling.shares else ""
        return Content.styled(shares if profiling.report is not None else "", "$warning")
