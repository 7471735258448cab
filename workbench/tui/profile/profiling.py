"""What the app knows of where the time goes, and how it comes to know more: measurements, requests to the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from workbench.events import PhasesMeasured
from workbench.profiling.report import MeasuringProgress, Report, Trial
from workbench.profiling.saved import Saved
from workbench.recipe import Recipe, RecipeError, write_recipe
from workbench.runs.errors import RunError
from workbench.runs.store.control_file import Action, ask
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.machine import Sample
from workbench.tui.common.background import aside
from workbench.tui.common.services import Services
from workbench.tui.profile.measurement import Heard, ProfileChild, ProfileEnded, ProfileHeard


class FollowedRun(Protocol):
    """The run on the Run screen, as far as it concerns this one; :class:`workbench.tui.run.tracking.Tracked` is one."""

    @property
    def run(self) -> RunDirectory:
        """Its directory."""

    @property
    def state(self) -> str:
        """What it is at."""

    @property
    def live(self) -> bool:
        """Whether there is still something to wait for."""

    @property
    def waits(self) -> bool:
        """Whether it stands in the queue."""

    @property
    def saved(self) -> Saved:
        """The stacks and operators that were asked for last."""

    @property
    def phases(self) -> PhasesMeasured | None:
        """Where the time of its steps goes."""

    @property
    def sample(self) -> Sample | None:
        """What its machine does just now."""


class ProfilingServices(Services, Protocol):
    """What profiling asks of the app beside what all screens do."""

    @property
    def tracked(self) -> FollowedRun | None:
        """The run on the Run screen."""

    @property
    def trained_here(self) -> RunDirectory | None:
        """The run that this process trains, once it is made."""


ASK_AGAIN = 15.0
"""Seconds after which a run on screen is asked again to measure its steps; it goes on for twice as long unasked."""


class Profiling:
    """The measurement of the composed recipe, and the requests to the run on screen.

    report: the last one, of ``measured``: a recipe, and a device as it was chosen. kept: the trial whose change went
    into the recipe.
    """

    def __init__(self, services: ProfilingServices, command: Sequence[str]) -> None:
        self._services = services
        self._command = command
        self.report: Report | None = None
        self.measured: tuple[Recipe, str] | None = None
        self.progress: MeasuringProgress | None = None
        self.began = 0.0
        self.error = ""
        self.shares = ""
        self.trying = False
        self.kept: Trial | None = None
        self.awaited: dict[str, tuple[RunDirectory, Any]] = {}
        self._child: ProfileChild | None = None
        self._next: tuple[Recipe, str] | None = None
        self._asked: tuple[RunDirectory | None, float] = (None, 0.0)

    # The composed recipe

    @property
    def busy(self) -> bool:
        """Whether a measurement is at work."""
        return self._child is not None

    @property
    def outdated(self) -> bool:
        """Whether the composed recipe is another one than the report is about."""
        return self.measured is not None and self._services.editor.recipe != self.measured[0]

    @property
    def trial(self) -> Trial | None:
        """The suggestion as it was tried."""
        return self.report.trials[-1] if self.report is not None and self.report.trials else None

    def measure(self, *, trying: bool = False) -> None:
        """Measure the composed recipe in a process of its own; ``trying``: the suggested change.

        The recipe itself is measured anew then only if it is another one than the report is about.
        """
        app = self._services
        if self.busy:
            return
        if problems := app.editor.conflicts():
            self.error = f"{problems[0].path}: {problems[0].message}"
            return
        self._next = app.editor.recipe, app.device
        self.error, self.trying = "", trying
        self.shares = self._sharing()
        self.progress, self.began = MeasuringProgress("starting", 0.0), app.now()
        options = ["--device", app.device, "--data-root", str(app.settings.data_root)]
        options += [word for plugin in app.settings.plugins for word in ("--plugin", str(plugin))]
        self._child = ProfileChild(
            write_recipe(app.editor.recipe),
            lambda child, heard: app.post_message(ProfileHeard(child, heard)),
            command=self._command,
            options=[*options, "--try"] if trying else options,
            known=self.report if trying and self._next == self.measured else None,
        )
        self._child.start()

    def _sharing(self) -> str:
        """The run that this machine works on at the same time, "" for none."""
        app = self._services
        if app.trained_here is not None:
            return app.trained_here.name
        tracked = app.tracked
        return tracked.run.name if tracked is not None and tracked.state == "running" else ""

    def stop(self) -> None:
        """End the measurement; what was known before stays."""
        if self._child is not None:
            self._child.stop()
        self._child, self.progress = None, None

    def hear(self, child: ProfileChild, heard: Heard) -> bool:
        """Take in what a measurement says; False if it is one that was stopped."""
        if child is not self._child:
            return False
        match heard:
            case MeasuringProgress():
                known = self.progress.found if self.progress is not None else []
                self.progress = replace(heard, found=heard.found or known)  # what comes last measures no rates
            case Report():
                self.report, self.measured, self.kept = heard, self._next, None
                self.shares = self.shares or self._sharing()  # also a run that began meanwhile
            case ProfileEnded():
                self._child, self.progress, self.error = None, None, heard.error
        return True

    def keep(self) -> bool:
        """Put the tried change into the composed recipe, as one change that can be undone."""
        # With the screen: not before it is looked at.
        from workbench.profiling.suggestions import changed
        from workbench.tui.profile.texts import changed_to

        app, trial = self._services, self.trial
        if trial is None or trial is self.kept:
            return False
        try:
            recipe = changed(app.editor.recipe, trial.changes)
        except RecipeError as error:
            app.notify(str(error), severity="error")
            return False
        self.kept = trial
        if app.editor.change(recipe):
            app.recipe_changed()
        undo = app.key("compose.undo")
        app.notify(f"The recipe now has {changed_to(trial.changes)}; {undo} in Compose takes it back.")
        return True

    # The run on screen

    def watch(self) -> None:
        """Have the run on screen measure its steps, as long as this is called at least every few seconds."""
        tracked, now = self._services.tracked, self._services.now()
        if tracked is None or tracked.state != "running" or tracked.waits:
            return
        run, when = self._asked
        if run != tracked.run or not 0 <= now - when < ASK_AGAIN:
            self._asked = (tracked.run, now)
            self._ask(tracked.run, "profile", quiet=True)

    def ask(self, what: Action) -> None:
        """Ask the run on screen for ``"stacks"`` or a ``"trace"``."""
        tracked = self._services.tracked
        if tracked is None or not tracked.live or self.awaiting("stacks") or self.awaiting("trace"):
            return
        saved = tracked.saved
        self.awaited[what] = (tracked.run, saved.stacks if what == "stacks" else saved.operators)
        self._ask(tracked.run, what)

    def awaiting(self, what: Action) -> bool:
        """Whether something that was asked for has not come yet."""
        tracked = self._services.tracked
        if what not in self.awaited or tracked is None:
            return False
        run, before = self.awaited[what]
        now = tracked.saved.stacks if what == "stacks" else tracked.saved.operators
        if run != tracked.run or now is not before or not tracked.live:
            del self.awaited[what]
            return False
        return True

    def _ask(self, run: RunDirectory, what: Action, *, quiet: bool = False) -> None:
        """In a thread, for the disk may be slow."""
        app = self._services

        def failed(error: RunError) -> None:
            if not quiet:
                app.notify(str(error), severity="error")

        aside(app, f"asking for {what}", lambda: ask(run, what), failed=failed)
