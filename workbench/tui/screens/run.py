"""Run: one run, ours or another process's, read from its directory alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen

from workbench.tui import clipboard, texts
from workbench.tui.actions import bindings
from workbench.tui.clipboard import rerun_command
from workbench.tui.screens.confirm import ConfirmScreen
from workbench.tui.widgets.curves import CurvePane, accuracy_drawing, accuracy_figures, loss_drawing, loss_figures
from workbench.tui.widgets.key_bar import KeyBar
from workbench.tui.widgets.pane import Pane, Text
from workbench.tui.widgets.run_head import RunHead
from workbench.tui.widgets.run_log import RunLog
from workbench.tui.widgets.top_bar import TopBar
from workbench.tui.words import place

if TYPE_CHECKING:
    from workbench.tui.run_view import RunView
    from workbench.tui.tracking import Tracked
    from workbench.tui.workbench_app import Workbench

NOTHING = "No run yet. Press 1 for Compose, put a recipe together, and r to train it."


class RunScreen(Screen[None]):
    """Shows ``app.tracked``; asks are answered by the run, wherever it is."""

    BINDINGS = bindings("run")
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._logarithmic = False
        self._drawn: tuple[object, ...] = ()
        self._where = ""
        self._ready = False

    @property
    def workbench(self) -> Workbench:
        """The app."""
        return cast("Workbench", self.app)

    def compose(self) -> ComposeResult:
        yield TopBar("run")
        yield Text(id="nothing")
        with Vertical(id="run"):
            yield RunHead(id="run-head")
            with Horizontal(id="curves"):
                yield CurvePane("Loss", id="loss")
                yield CurvePane("Accuracy", id="accuracy")
            with Horizontal(id="run-below"):
                checks, log = Pane(title="Checks", id="checks"), RunLog(id="log")
                checks.can_focus = log.can_focus = True  # tab, and then the arrows scroll
                yield checks
                yield log
        yield KeyBar("run")

    def on_mount(self) -> None:
        self.query_one("#nothing", Text).show(Content(NOTHING))
        self._ready = True
        self.refresh_run()

    def on_screen_resume(self) -> None:
        self.refresh_run(force=True)
        self.workbench.refresh_top()

    def refresh_run(self, *, force: bool = False) -> None:
        """Draw what is known of the run; charts only if something changed."""
        tracked = self.workbench.tracked
        if not self._ready:  # a timer may be faster than the first layout
            return
        self.query_one("#run").display = tracked is not None
        self.query_one("#nothing").display = tracked is None
        if tracked is None:
            return
        view, now = tracked.view, self.workbench.now()
        self.query_one(RunHead).show(tracked, now)
        self.query_one("#checks", Pane).show(self._checks(view))
        log = self.query_one(RunLog)
        where = place(tracked.run.path, max(12, self.size.width // 2 - 6))
        if where != self._where:  # setting it repaints the whole log, changed or not
            self._where = log.border_subtitle = where
        log.show(view)
        drawn = (id(view), view.version, self._logarithmic, self.workbench.theme)
        if force or drawn != self._drawn:
            self._drawn = drawn
            palette = self.workbench.palette
            loss = loss_drawing(view, palette, logarithmic=self._logarithmic)
            self.query_one("#loss", CurvePane).show(loss_figures(view), loss if view.version else None)
            accuracy = accuracy_drawing(view, palette)
            self.query_one("#accuracy", CurvePane).show(accuracy_figures(view), accuracy if view.version else None)
        self.query_one(KeyBar).refresh_keys()

    def _checks(self, view: RunView) -> Content:
        """The checks, the bad ones first; where there is little room, a line each before the reasons."""
        found = sorted(view.checks.values(), key=lambda check: ("fail", "warn", "pass").index(check.verdict))
        if not found:
            return Content.styled("none yet", "$muted")
        return texts.checks(found) if self.has_class("-wide") else texts.check_lines(found) + texts.checks(found)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Asks are dimmed where there is nobody to answer them."""
        if action in ("pause", "stop", "checkpoint"):
            tracked = self.workbench.tracked
            if tracked is not None and tracked.waiting is not None:  # no process yet: it can only be taken out
                return True if action == "stop" else None
            return True if tracked is not None and tracked.live else None
        return True

    # Actions

    def _live(self) -> Tracked | None:
        tracked = self.workbench.tracked
        return tracked if tracked is not None and tracked.live else None

    def action_pause(self) -> None:
        """Pause, or go on."""
        if (tracked := self._live()) is not None:
            paused = tracked.state == "paused" or tracked.asked == "pause"
            self.workbench.ask_run("continue" if paused else "pause")

    def action_checkpoint(self) -> None:
        """Save a checkpoint."""
        if self._live() is not None:
            self.workbench.ask_run("checkpoint")

    def action_stop(self) -> None:
        """Stop, after asking."""
        tracked = self._live()
        if tracked is None:
            return

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self.workbench.ask_run("stop")

        if tracked.waiting is not None:
            question = f"{tracked.run.name} has not begun; it can be queued again later."
            answers = [("stop", "Take it out of the queue")]
            self.app.push_screen(ConfirmScreen("Take this run out of the queue?", question, answers), answered)
            return
        question = f"{tracked.run.name} saves a checkpoint and stops; it can go on later with workbench run --resume."
        self.app.push_screen(ConfirmScreen("Stop this run?", question, [("stop", "Stop at a checkpoint")]), answered)

    def action_log_scale(self) -> None:
        """Logarithmic loss, or linear."""
        self._logarithmic = not self._logarithmic
        self.refresh_run()

    def action_copy(self) -> None:
        """The command that trains the same again, to the clipboard."""
        tracked = self.workbench.tracked
        if tracked is not None:
            clipboard.copy(
                self.workbench,
                rerun_command(tracked.run, self.workbench.settings, self.workbench.device),
                "the rerun command",
            )

    def action_scroll(self, direction: int) -> None:
        """Scroll the log."""
        self.query_one(RunLog).scroll_relative(y=direction, animate=False)
