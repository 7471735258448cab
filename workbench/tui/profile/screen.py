"""Profile: where the time of a step goes, what limits the recipe, one change to try, Python stacks and operators."""

from __future__ import annotations

from typing import Protocol

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content

from workbench.events import PhasesMeasured
from workbench.profiling.report import Phases
from workbench.tui.common.actions import ACTIONS, bindings
from workbench.tui.common.screens import KeyBar, TopBar, WorkbenchScreen
from workbench.tui.common.texts import MUTED, Part
from workbench.tui.common.widgets import Pane, Text, show_border, tabs
from workbench.tui.compat.composed import when_ready
from workbench.tui.profile import texts
from workbench.tui.profile.bars import so_far
from workbench.tui.profile.profiling import Profiling, ProfilingServices
from workbench.tui.profile.widgets import MeasuringLine, StackView, StepBar


class ProfileServices(ProfilingServices, Protocol):
    """What this screen asks of the app. profiling: what is known of where the time goes."""

    profiling: Profiling


OF_SOMETHING = frozenset(action.name for action in ACTIONS if action.where == "profile") - {"measure"}
"""Actions that need something to act on."""

VIEWS = {"verdict": "Verdict", "stacks": "Stacks", "operators": "Operators", "parts": "Parts"}


class ProfileScreen(WorkbenchScreen[None]):
    """Shows ``services.profiling`` and, live, the steps of ``services.tracked``."""

    BINDINGS = bindings("profile")
    AUTO_FOCUS = ""

    def __init__(self, services: ProfileServices) -> None:
        super().__init__()
        self.services = services
        self.view = "verdict"
        self.own_code = True
        self._of_run = True
        self._run = ""
        self._titled = ("", False)

    @property
    def profiling(self) -> Profiling:
        """What is known."""
        return self.services.profiling

    def compose(self) -> ComposeResult:
        yield TopBar("profile")
        yield Text(id="profile-nothing")
        with Vertical(id="profile"):
            yield StepBar(id="step")
            with Container(id="profile-panes"):
                verdict, parts = Pane(id="verdict"), Pane(id="parts")
                operators = Pane(id="operators")
                verdict.can_focus = parts.can_focus = operators.can_focus = True
                yield verdict
                yield parts
                yield StackView(id="stacks")
                yield operators
        yield MeasuringLine(self.services, id="profile-line")
        yield KeyBar("profile", self.services.settings.keymap)

    def on_mount(self) -> None:
        before = self.services.layout.get("profile", {})
        self.view = before["view"] if before.get("view") in VIEWS else self.view
        self.own_code = before.get("own_code") is not False
        self.show_view(self.view)
        self.refresh_profile()

    def on_resize(self) -> None:
        self.call_next(self.refresh_profile)  # whether the screen is wide is settled after this

    def on_screen_resume(self) -> None:
        self.refresh_profile()
        self.services.refresh_top()

    # What is shown

    @when_ready
    def refresh_profile(self) -> None:
        """Draw what is known; whoever calls it while the screen is in front has the run measured."""
        profiling, tracked = self.profiling, self.services.tracked
        if self.app.current_mode == "profile":
            profiling.watch()
        live = tracked is not None and tracked.live
        if tracked is not None and live and tracked.run.name != self._run:  # a new run shows itself
            self._run, self._of_run = tracked.run.name, True
        anything = self._anything()
        self.query_one("#profile").display = anything
        nothing = self.query_one("#profile-nothing", Text)
        nothing.display = not anything
        if not anything:
            nothing.show(texts.nothing_measured(self.services.key("profile.measure"), self.services.editor.recipe.name))
        self._show_titles()
        self._show_step()
        self._show_verdict()
        self._show_saved()
        self.query_one(MeasuringLine).show_profiling(profiling)
        self.query_one(KeyBar).refresh_keys()

    def _anything(self) -> bool:
        """Whether there is something to show."""
        profiling, tracked = self.profiling, self.services.tracked
        if profiling.report is not None or profiling.busy:
            return True
        if tracked is None:
            return False
        return bool(tracked.live or tracked.phases or tracked.saved.stacks or tracked.saved.operators)

    def _show_step(self) -> None:
        """The live run's step, or that of the measured recipe; the caption says which."""
        app, report, tracked = self.services, self.profiling.report, self.services.tracked
        phases = tracked.phases if tracked is not None else None
        found: Phases | PhasesMeasured | None
        shared = ""
        if tracked is not None and (phases or tracked.live) and (self._of_run or report is None):
            state = "live" if tracked.state == "running" else tracked.state
            run = f"{tracked.run.recipe_name} {tracked.run.name[-4:]} "
            of: list[Part] = [("Run ", "bold"), run, (state, "$success")]
            if phases is not None and self.has_class("-wide"):
                of += [(f", step {phases.step:,}", MUTED)]
            waits = "its steps are measured in a moment" if tracked.state == "running" else "no step was measured"
            found = phases
            newest = tracked.sample
            shared = texts.shared_with(newest.gpu_others) if tracked.live and newest is not None else ""
        elif report is not None:
            of, waits, found = [("Recipe ", "bold"), report.recipe], "", report.phases
        else:
            of, waits, found = [("Recipe ", "bold"), app.editor.recipe.name], "", None
        step = self.query_one(StepBar)
        if found is None:
            step.show(Content.assemble(*of, (f"  {waits}", MUTED)), [], shared)
        else:
            caption = texts.step_caption(of, found)
            if report is not None and tracked is not None and (phases or tracked.live):
                other = "the recipe's" if found is phases else "the run's"
                hint = Content.assemble("  ", (app.key("profile.other_step"), "bold $primary"), f" {other}")
                if caption.cell_length + hint.cell_length < self.size.width - 1:
                    caption = caption + hint
            step.show(caption, texts.pieces(found), shared)

    def _show_verdict(self) -> None:
        app, profiling = self.services, self.profiling
        pane = self.query_one("#verdict", Pane)
        room = pane.scrollable_content_region.width
        ascii, airy = app.settings.ascii, self.has_class("-wide")
        keys = {name: app.key(f"profile.{name}") for name in ("try", "keep", "cancel")}
        progress = profiling.progress
        at_work = None if progress is None else so_far(progress, max(40, room), keys, ascii=ascii)
        if at_work is not None and (profiling.report is None or not profiling.trying):
            pane.show(at_work)
        elif profiling.report is None:
            said = f" measures what limits {app.editor.recipe.name}: batches alone, the network alone, both together."
            pane.show(Content.assemble((app.key("profile.measure"), "bold $primary"), said))
        else:
            kept = profiling.trial is not None and profiling.kept is profiling.trial
            pane.show(
                texts.verdict(profiling.report, max(40, room), keys, kept=kept, airy=airy, ascii=ascii, trying=at_work)
            )
        parts = self.query_one("#parts", Pane)
        if profiling.report is None:
            parts.show(Content.styled("nothing measured yet", "$muted"))
        else:
            parts.show(texts.parts_of(profiling.report, ascii=ascii))

    def _show_saved(self) -> None:
        """Stacks and operators of the run on screen."""
        tracked, app = self.services.tracked, self.services
        live = tracked is not None and tracked.live
        saved = tracked.saved if tracked is not None else None
        no_stacks, no_operators = texts.nothing_sampled(app.key, live=live)
        stacks = self.query_one(StackView)
        if self.profiling.awaiting("stacks"):
            no_stacks = "sampling…"
        stacks.show(saved.stacks if saved else None, no_stacks, own=self.own_code)
        about = texts.about_stacks(saved.stacks if saved else None, own=self.own_code)
        if Content(about).markup != stacks.border_subtitle:  # setting it repaints the pane, changed or not
            show_border(stacks, title_below=Content(about))
        operators = self.query_one("#operators", Pane)
        if saved is not None and saved.operators is not None:
            room = operators.scrollable_content_region.width
            operators.show(texts.operators(saved.operators, room or 60))
        else:
            nothing = "tracing…" if self.profiling.awaiting("trace") else no_operators
            operators.show(Content.styled(nothing, "$muted"))

    @when_ready
    def show_view(self, view: str) -> None:
        """Bring a pane to the front; where there is room, all of them are in sight."""
        self.view = view
        for name in VIEWS:
            self.query_one(f"#{name}").set_class(name == view, "-current")
        self.query_one(f"#{view}").focus()
        self.services.layout["profile"] = {"view": view, "own_code": self.own_code}
        self._show_titles()

    def _show_titles(self) -> None:
        wide = self.has_class("-wide")
        if self._titled == (self.view, wide):  # setting them repaints the panes, changed or not
            return
        self._titled = (self.view, wide)
        titles = {view: Content(title) for view, title in VIEWS.items()}
        for view, title in titles.items():
            show_border(self.query_one(f"#{view}"), title if wide else tabs(titles, self.view))

    def action_show_view(self, view: str) -> None:
        """A pane's title was clicked."""
        self.show_view(view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot be done at the moment is dimmed; an empty screen offers what acts, no more."""
        if action in OF_SOMETHING and not self._anything():
            return False
        profiling, tracked = self.profiling, self.services.tracked
        live = tracked is not None and tracked.live and not tracked.waits
        looked_into = profiling.awaiting("stacks") or profiling.awaiting("trace")  # each would measure the other
        possible = {
            "measure": not profiling.busy,
            "try": not profiling.busy and profiling.report is not None and profiling.report.suggestion is not None,
            "keep": profiling.trial is not None and profiling.trial is not profiling.kept,
            "stacks": live and not looked_into,
            "trace": live and not looked_into,
            "cancel": profiling.busy,
            "other_step": profiling.report is not None and tracked is not None,
            "fold": tracked is not None and tracked.saved.stacks is not None,
        }
        return True if possible.get(action, True) else None

    # Actions

    def action_measure(self) -> None:
        """Measure the composed recipe."""
        self._of_run = False
        self.profiling.measure()
        self.refresh_profile()

    def action_try(self) -> None:
        """Measure it with the suggested change, too."""
        self.profiling.measure(trying=True)
        self.show_view("verdict")
        self.refresh_profile()

    def action_keep(self) -> None:
        """Put the tried change into the recipe."""
        self.profiling.keep()
        self.refresh_profile()

    def action_cancel(self) -> None:
        """End a measurement."""
        self.profiling.stop()
        self.refresh_profile()

    def action_other_step(self) -> None:
        """The step of the run, or that of the measured recipe."""
        self._of_run = not self._of_run
        self._show_step()

    def action_stacks(self) -> None:
        """Sample the stacks of the running training."""
        self.profiling.ask("stacks")
        self.show_view("stacks")
        self.refresh_profile()

    def action_trace(self) -> None:
        """Trace some steps of the running training."""
        self.profiling.ask("trace")
        self.show_view("operators")
        self.refresh_profile()

    def action_code(self) -> None:
        """The user's own code, or all."""
        self.own_code = not self.own_code
        self.show_view("stacks")
        self._show_saved()

    def action_fold(self) -> None:
        """Fold or unfold a branch of the stacks."""
        self.query_one(StackView).fold()

    def action_view(self) -> None:
        """The next pane."""
        names = list(VIEWS)
        self.show_view(names[(names.index(self.view) + 1) % len(names)])

    def action_scroll(self, direction: int) -> None:
        """Scroll the pane in front by half its height."""
        pane = self.query_one(f"#{self.view}")
        pane.scroll_relative(y=direction * max(1, pane.size.height // 2), animate=False)
