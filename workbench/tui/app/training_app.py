"""Training in this process and asking of runs, as far as it needs the app."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widgets import Input

from workbench.runs.directory import RunDirectory, create_run
from workbench.runs.errors import RunError
from workbench.runs.listing import newest_live_run
from workbench.runs.longer import Plan, begin
from workbench.runs.queue import remove
from workbench.runs.requests import Action, ask
from workbench.tui.app import leaving, queueing
from workbench.tui.app.training import Training
from workbench.tui.common.messages import LiveRunSeen, TrainingMoved
from workbench.tui.compose import texts

if TYPE_CHECKING:
    from workbench.tui.app.workbench import Workbench


def look_for_live(app: Workbench) -> None:
    """In a thread: tell the app of the newest run that is at work already, such as one whose terminal was lost."""

    def look() -> None:
        with contextlib.suppress(RunError, OSError):
            app.post_message(LiveRunSeen(newest_live_run(app.settings.runs)))

    threading.Thread(target=look, daemon=True, name="live runs").start()


def live_seen(app: Workbench, run: RunDirectory) -> None:
    """Follow a run that goes on, unless there is another one to look at already."""
    if app.tracked is None and app.is_running:
        app.track(run)
        app.notify(f"{run.name} is being trained; 2 shows it.")


def start(app: Workbench) -> None:
    """Train the recipe that is being composed, unless something speaks against it."""
    problems = app.editor.conflicts()
    if problems:
        reasons = "\n".join(f"{p.path}: {p.message}" for p in problems)
        if offer := texts.offer(app.editor.fixes(problems[0])):
            reasons += f"\nkey {app.key('compose.fix')}: {offer}"
        app.notify(reasons, title="This recipe cannot be trained", severity="error", timeout=10)
        return
    recipe = app.editor.recipe
    _train(app, lambda: create_run(app.settings.runs, recipe), resume=False)


def resume(app: Workbench, run: RunDirectory) -> None:
    """Go on with a run from its last checkpoint, in this process."""
    _train(app, lambda: run, resume=True)


def train_on(app: Workbench, wanted: Plan) -> None:
    """Train a run that is over on, as a new run, in this process."""
    _train(app, lambda: begin(wanted, app.settings.runs), resume=True)


def _train(app: Workbench, make: Callable[[], RunDirectory], *, resume: bool) -> None:
    if app.training is not None and app.training.alive:
        queueing.offer(app, make)
        return
    if reason := app.refusal:
        how = f"{reason}, or go on without it: {app.key('compose.devices')} in Compose, cpu."
        app.notify(how, title="The GPU cannot be used", severity="error", timeout=20, markup=False)
        return
    app.begun_in, app.training_begun = app.current_mode, app.hold_input()
    app.training = Training(
        make,
        lambda training: app.post_message(TrainingMoved(training)),
        device=app.device,
        data_root=app.settings.data_root,
        resume=resume,
        descriptors=app.descriptors,
        execute=app.execute,
    )
    app.training.start()


def moved(app: Workbench, training: Training) -> None:
    """The training has its run, or has ended."""
    if not app.is_running:  # leaving: the screens may be gone already
        return
    if training.state is None:
        if training.run is not None:
            _show(app, training.run)
        app.training_begun()
        return
    app.training_begun()
    app.read_speeds()
    if training.error:
        app.notify(training.error, title="The run broke", severity="error", timeout=10)
    elif app.current_mode != "run" and training.run is not None:
        severity = "information" if training.state in ("finished", "stopped") else "error"
        app.notify(f"{training.run.name}: {training.state}", severity=severity)  # type: ignore[arg-type]
    if app.tracked is not None:
        app.tracked.hurry()
    leaving.go_if_stopped(app)


def _show(app: Workbench, run: RunDirectory) -> None:
    """Go to the Run screen, unless somebody has gone on to something else while the run was made."""
    typing = len(app.screen_stack) > 1 or isinstance(app.screen.focused, Input)
    if app.current_mode == app.begun_in and not typing:
        app.watch_run(run)
    else:
        app.track(run)
        app.notify(f"{run.name} is being trained; 2 shows it.")


def ask_for(app: Workbench, what: Action) -> None:
    """Ask the run on screen for something, wherever it is trained."""
    tracked, training = app.tracked, app.training
    if tracked is None:
        return
    if tracked.waiting and what == "stop":
        if not remove(tracked.run):
            app.notify(f"{tracked.run.name} is not in the queue any more.")
        tracked.hurry()
        return
    if training is not None and training.alive and training.run == tracked.run:
        control = training.control
        {
            "pause": control.pause,
            "continue": control.go_on,
            "stop": control.stop,
            "checkpoint": control.checkpoint,
        }[what]()
    else:
        try:
            ask(tracked.run, what)
        except RunError as error:
            app.notify(str(error), severity="error")
            return
    tracked.ask(what)
    app.show_run()
