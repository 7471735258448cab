"""Run: one run, ours or another process's, read from its directory alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from workbench.events import SEVERITY, Finished
from workbench.runs.store.control_file import Action as Request
from workbench.tui.common import texts
from workbench.tui.common.actions import ACTIONS, bindings
from workbench.tui.common.clipboard import copy_command
from workbench.tui.common.screens import ConfirmScreen, KeyBar, TopBar
from workbench.tui.common.services import Services
from workbench.tui.common.widgets import Line, Pane, Text, show_border
from workbench.tui.common.words import place
from workbench.tui.compat.composed import when_ready
from workbench.tui.run import panes
from workbench.tui.run.charts import OF_CHARTS, ChartsScreen, RunCharts
from workbench.tui.run.panes import RunHead, RunLog, loading
from workbench.tui.run.results import show_results

if TYPE_CHECKING:
    from workbench.runs.store.directory import RunDirectory
    from workbench.tui.run.tracking import Tracked
    from workbench.tui.run.view import RunView


class RunServices(Services, Protocol):
    """What this screen asks of the app beside what all screens do. tracked: the run that it shows."""

    @property
    def tracked(self) -> Tracked | None:
        """The run on screen, whoever trains it."""

    def ask_run(self, what: Request) -> None:
        """Ask the run on screen for something."""

    def start_run(self) -> None:
        """Train the recipe that is being composed."""

    def resume_run(self, run: RunDirectory) -> None:
        """Continue a run that ended before its time, in this process."""


OF_A_RUN = frozenset(action.name for action in ACTIONS if action.where == "run") - {"start"}


class RunScreen(ChartsScreen):
    """Shows ``services.tracked``; asks are answered by the run, wherever it is."""

    BINDINGS = bindings("run")
    AUTO_FOCUS = ""

    def __init__(self, services: RunServices) -> None:
        super().__init__()
        self.services = services
        self._where = ""

    def compose(self) -> ComposeResult:
        yield TopBar("run")
        yield Text(id="nothing")
        with Vertical(id="run"):
            yield RunHead(id="run-head")
            yield Text(id="loading")
            yield RunCharts(id="charts")
            yield Line(id="axis")
            with Horizontal(id="run-below"):
                checks, log = Pane(title="Checks", id="checks"), RunLog(id="log")
                checks.can_focus = log.can_focus = True  # tab, and then the arrows scroll
                yield checks
                yield log
        yield KeyBar("run", self.services.settings.keymap)

    def on_mount(self) -> None:
        self.charts.viewport.restore(self.services.layout.get("run", {}))
        self.refresh_run()

    def on_screen_resume(self) -> None:
        self.refresh_run(force=True)
        self.services.refresh_top()

    @when_ready
    def refresh_run(self, *, force: bool = False) -> None:
        """Draw what is known of the run; charts only if something changed."""
        tracked = self.services.tracked
        self.query_one("#run").display = tracked is not None
        self.query_one("#nothing").display = tracked is None
        if tracked is None:
            self.query_one("#nothing", Text).show(self._nothing())
            self.query_one(KeyBar).refresh_keys()
            return
        view, now = tracked.view, self.services.now()
        self.query_one(RunHead).show(tracked, now, self.services.key("run.go_on"))
        self.query_one("#checks", Pane).show(self._checks(view))
        log = self.query_one(RunLog)
        where = place(tracked.run.path, max(12, log.outer_size.width - 6))  # its end stays: the run's name
        if where != self._where:  # setting it repaints the whole log, changed or not
            self._where = where
            show_border(log, title_below=Content(where))
        log.show(view)
        loads = tracked.loads
        self.query_one("#loading").display = loads
        self.charts.display = self.query_one("#axis").display = not loads
        if loads:
            self.query_one("#loading", Text).show(loading(tracked, now))
        else:
            wide, pinned = self.has_class("-wide"), tracked.pinned.view
            self.charts.show(view, self.services.palette, wide=wide, force=force, pinned=pinned)
            self.show_axis()
        self.query_one(KeyBar).refresh_keys()

    def _nothing(self) -> Content:
        app = self.services
        key = "bold $primary"
        return Content.assemble(
            "No run is shown yet.\n\n",
            (app.key("run.start"), key), f"  trains {app.editor.recipe.name}, the recipe of Compose\n",
            (app.key("app.show_compose"), key), "  goes to Compose, to change it first\n",
            (app.key("app.show_runs"), key), "  lists the runs of this folder; enter shows one here",
        )  # fmt: skip

    def show_axis(self) -> None:
        """What the common axis of the charts counts, what is smoothed, where the cursor stands, what the GPU does."""
        self.services.layout["run"] = self.charts.viewport.remembered
        tracked = self._live()
        gpu = tracked.view.machine.newest if tracked is not None else None
        pinned = self.services.tracked.pinned.name if self.services.tracked is not None else ""
        line = self.query_one("#axis", Line)
        line.show(panes.axis(self.charts.viewport, self.charts.note, gpu, pinned, line.size.width or 160))

    def _checks(self, view: RunView) -> Content:
        """The checks, the bad ones first; where there is little room, a line each before the reasons."""
        checks = [check for check in view.checks.values() if check.key != "fit"]  # that is the reading
        found = sorted(checks, key=lambda check: SEVERITY.index(check.verdict))
        fit = view.fit()
        reading = Content("") if fit is None else panes.fit(fit)
        if not found:
            return reading if fit is not None else Content.styled("none yet", "$muted")
        bad = [check for check in found if check.verdict in ("fail", "warn")]
        good = [check for check in found if check not in bad]
        if self.has_class("-wide"):
            return texts.checks(bad) + reading + texts.checks(good)
        return panes.check_lines(found, fit) + texts.checks(bad) + reading + texts.checks(good)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Asks are dimmed where there is nobody to answer them; one key saves a checkpoint or goes on from it."""
        nothing = self.services.tracked is None
        if action == "start" or (nothing and action in OF_A_RUN):  # an empty screen offers what acts, no more
            return nothing and action == "start"
        if action in ("checkpoint", "go_on"):
            can_go_on = self._can_go_on()
            if can_go_on == (action == "checkpoint"):
                return False
            if action == "go_on":
                return True
        if action in ("pause", "stop", "checkpoint"):
            tracked = self.services.tracked
            if tracked is not None and tracked.waiting is not None:  # no process yet: it can only be taken out
                return True if action == "stop" else None
            return True if tracked is not None and tracked.live else None
        if action == "results":
            return True if self._finished() is not None else None
        if action in OF_CHARTS:
            tracked = self.services.tracked
            return True if tracked is not None and not tracked.loads else None
        return True

    # Actions

    def _finished(self) -> Tracked | None:
        tracked = self.services.tracked
        return tracked if tracked is not None and isinstance(tracked.view.ended, Finished) else None

    def action_results(self) -> None:
        """What the last evaluation said, image by image."""
        if (tracked := self._finished()) is not None:
            show_results(self.app, tracked.run)

    def _live(self) -> Tracked | None:
        tracked = self.services.tracked
        return tracked if tracked is not None and tracked.live else None

    def action_start(self) -> None:
        """Train the composed recipe; the screen shows it."""
        self.services.start_run()

    def action_pause(self) -> None:
        """Pause, or go on."""
        if (tracked := self._live()) is not None:
            paused = tracked.state == "paused" or tracked.asked == "pause"
            self.services.ask_run("continue" if paused else "pause")

    def action_checkpoint(self) -> None:
        """Save a checkpoint."""
        if self._live() is not None:
            self.services.ask_run("checkpoint")

    def _can_go_on(self) -> bool:
        tracked = self.services.tracked
        return tracked is not None and tracked.can_go_on(self.services.now())

    def action_go_on(self) -> None:
        """Continue a run that ended before its time, from its last checkpoint."""
        if (tracked := self.services.tracked) is not None and self._can_go_on():
            self.services.resume_run(tracked.run)

    def action_stop(self) -> None:
        """Stop, after asking."""
        tracked = self._live()
        if tracked is None:
            return

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self.services.ask_run("stop")

        if tracked.waiting is not None:
            question = f"{tracked.run.name} has not begun; it can be queued again later."
            answers = [("stop", "Take it out of the queue")]
            title = "Take this run out of the queue?"
            self.app.push_screen(ConfirmScreen(title, question, answers, loses={"stop"}), answered)
            return
        question = (
            f"{tracked.run.name} saves a checkpoint and stops. It can go on later: "
            f"{self.services.key('run.go_on')} on this screen, or workbench run --resume."
        )
        answers = [("stop", "Stop at a checkpoint")]
        self.app.push_screen(ConfirmScreen("Stop this run?", question, answers, loses={"stop"}), answered)

    def action_copy(self) -> None:
        """The command that trains the same again, to the clipboard."""
        app = self.services
        if app.tracked is not None:
            copy_command(self.app, app.tracked.run, app.settings, app.device)

    def action_scroll(self, direction: int) -> None:
        """Scroll the log."""
        self.query_one(RunLog).scroll_relative(y=direction, animate=False)
