"""One session of the terminal: descriptors, signals, the app, and what becomes of a training afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from workbench import first_frame
from workbench.memory import keep_freed_memory
from workbench.printing import say
from workbench.recipe import Recipe
from workbench.runs.errors import RunError
from workbench.runs.launch import await_heartbeat, detach
from workbench.runs.queue import jobs
from workbench.runs.store.directory import RunDirectory
from workbench.settings import Screens
from workbench.tui.app.descriptors import Descriptors, in_words, keep_traceback, screens_broke
from workbench.tui.app.ending import run_command
from workbench.tui.app.leaving import (
    ABANDON,
    BACKGROUND,
    LOST,
    NO_SESSION,
    STOP,
    editor_of,
    editor_on,
    read_session,
    session_file,
)
from workbench.tui.app.training import Training
from workbench.tui.app.workbench import Workbench, first_editor
from workbench.tui.common.background import ThreadBroke
from workbench.tui.common.services import Settings
from workbench.tui.compat.turns import exit_soon
from workbench.tui.compose.files import writable

LOG_LIMIT = 1_000_000
"""Bytes after which the workbench's own log starts over."""


def run_app(
    *,
    recipe: Recipe | None = None,
    recipe_path: Path | None = None,
    watch: RunDirectory | None = None,
    runs: Path,
    data_root: Path,
    device: str = "auto",
    plugins: Sequence[Path] = (),
    screens: Screens | None = None,
    ascii: bool = False,
    keymap: Mapping[str, str] | None = None,
    in_browser: bool = False,
) -> None:
    """Open the terminal and stay until it is left.

    recipe: what to compose; if left out, what was left in this folder, or the packaged ``digits``. recipe_path: its
    file, where saving writes unless it is a packaged one. watch: a run to open the Run screen with. runs, data_root,
    device: as the command line resolved them. plugins: files that are loaded already; the preview process loads them
    too. screens, ascii, keymap, in_browser: how and where they are drawn, and the user's keys by action id. Raises
    ScreensBroke where something other than the user ended the screens; whatever ends them, a training stops at a
    checkpoint first.
    """
    keep_freed_memory()
    screens = screens or Screens()
    settings = Settings(runs, data_root, device, tuple(plugins), screens, ascii, keymap or {}, in_browser)
    session_path = session_file(Path.cwd())
    session = read_session(session_path) if screens.restore else NO_SESSION
    if recipe is None:
        editor = editor_of(session) or first_editor()
    else:
        editor = editor_on(session, recipe, writable(recipe_path) if recipe_path is not None else None, recipe_path)
    with Descriptors(log_file()) as descriptors:
        app = Workbench(
            settings, editor, watch=watch, descriptors=descriptors, session=session, session_path=session_path
        )
        ended_by: BaseException | None = None
        with _signals(app, descriptors), _threads_heard(app, descriptors.log):
            first_frame.hand_over()
            try:
                outcome = app.run()
                ended_by = app.ended_by
                if outcome is None and ended_by is None and in_browser:  # the page was closed
                    outcome = ""
            except BaseException as error:  # past the app: an exit() in what it calls, an interrupt, a broken start
                keep_traceback(error, descriptors.log)
                outcome, ended_by = None, error
            first_frame.restore()
            if outcome == LOST or descriptors.lost:
                _go_on_alone(app)
                os._exit(0)  # nothing is left that a terminal's file could be flushed to
            if outcome != ABANDON:
                _stop_training(app, descriptors)
    left = ended_by is None and outcome is not None
    _say_goodbye(app, settings, outcome if left and outcome is not None else app.leaving or STOP)
    if isinstance(ended_by, KeyboardInterrupt):
        raise ended_by
    if not left:
        raise screens_broke(ended_by, descriptors.log) from ended_by


def log_file() -> Path:
    """Where the workbench's own messages and those of libraries go while no run has the terminal's descriptors."""
    import platformdirs

    path = Path(platformdirs.user_log_dir("workbench", appauthor=False)) / "terminal.log"
    with contextlib.suppress(OSError):
        if path.stat().st_size > LOG_LIMIT:
            path.unlink()
    return path


@contextlib.contextmanager
def _signals(app: Workbench, descriptors: Descriptors) -> Iterator[None]:
    """A lost terminal ends the screens and not the training; SIGTERM ends both, at a checkpoint.

    These are plain signal handlers, not the event loop's: they also run where the loop waits for a terminal that
    nobody reads.
    """

    def lost(number: int, frame: FrameType | None) -> None:
        descriptors.lose()
        exit_soon(app, LOST)

    def end(number: int, frame: FrameType | None) -> None:
        if app.training is not None:
            app.training.control.stop()
        app.leaving = app.leaving or STOP
        if app.training is None or not app.training.alive:
            exit_soon(app, "")

    before = {
        number: signal.signal(number, handler) for number, handler in ((signal.SIGHUP, lost), (signal.SIGTERM, end))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            # A terminal may also go away while nothing but a training is left.
            signal.signal(number, signal.SIG_IGN if descriptors.lost and number == signal.SIGHUP else handler)


@contextlib.contextmanager
def _threads_heard(app: Workbench, log: Path) -> Iterator[None]:
    """A thread that breaks leaves the app as it is; its traceback goes to the log and a line onto the screen."""

    def broke(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
            keep_traceback(told.exc_value, log)
            name = told.thread.name if told.thread is not None else "a thread"
            app.post_message(ThreadBroke(f"{name}: {in_words(told.exc_value)}; the whole traceback is in {log}"))

    before, threading.excepthook = threading.excepthook, broke
    try:
        yield
    finally:
        threading.excepthook = before


def _stop_training(app: Workbench, descriptors: Descriptors) -> None:
    """Let a training that still goes on stop at a checkpoint: nothing but the screens has ended."""
    training = app.training
    if training is None or not training.alive:
        return
    training.control.stop()
    training.join(0.5)
    if not training.alive:
        return
    name = training.run.name if training.run is not None else "the run"
    descriptors.say(f"{name} finishes its step and saves a checkpoint… (Ctrl-C leaves at once)")
    try:
        training.join()
    except KeyboardInterrupt:
        descriptors.say(_abandoned(name))
        os._exit(128 + signal.SIGINT)  # the thread may be inside a library that an exit would pull away from under it


def _abandoned(name: str) -> str:
    return f"left {name} without waiting; go on from its last checkpoint with: workbench run --resume {name}"


def _go_on_alone(app: Workbench) -> None:
    """Without a terminal: train to the end. ``workbench watch`` shows the run, ``workbench stop`` ends it."""
    if app.training is not None:
        app.training.join()
        run, state = app.training.run, app.training.state
        if app.settings.screens.on_end and run is not None and state is not None and app.leaving != BACKGROUND:
            with contextlib.suppress(RunError):  # nobody is there to hear it
                run_command(app.settings.screens.on_end, run, state)
        if app.leaving == BACKGROUND and app.training.run is not None and app.training.state == "stopped":
            settings, device = app.settings, app.training.device
            with contextlib.suppress(RunError):  # nobody is there to hear it; the run stands at its checkpoint
                detach(app.training.run, device, settings.data_root, resume=True, plugins=settings.plugins)


def _say_goodbye(app: Workbench, settings: Settings, outcome: str) -> None:
    """Back on the ordinary screen: what became of the run."""
    training = app.training
    if training is not None and training.run is not None:
        _say_what_became(training, training.run, settings, outcome)
    if app.queue_hold is not None:
        app.queue_hold.give_back()
    if waiting := len(jobs.entries(settings.runs)):
        say(f"{waiting} queued run{'s wait' if waiting > 1 else ' waits'} for a free device: workbench queue")


def _say_what_became(training: Training, run: RunDirectory, settings: Settings, outcome: str) -> None:
    name = run.name
    if outcome == BACKGROUND and training.state == "stopped":
        _go_on_in_background(run, settings, training.device)
    elif outcome == ABANDON:
        say(_abandoned(name))
        os._exit(0)  # the thread may be inside a library that an ordinary exit would pull away from under it
    elif training.state == "stopped":
        say(f"{name} stopped at a checkpoint; go on with: workbench run --resume {name}")
    elif training.state is not None:
        say(f"{name}: {training.state}")


def _go_on_in_background(run: RunDirectory, settings: Settings, device: str) -> None:
    """Start a process that goes on with the run, and stay until it says that it does. Raises RunError if it does not.

    Ctrl-C leaves without waiting.
    """
    drawn = False

    def waited(seconds: float) -> None:
        nonlocal drawn
        if sys.stdout.isatty() and seconds > 0.3:
            say(f"{run.name} goes on in the background… {seconds:.0f} s", start="\r", end="")
            drawn = True

    try:
        pid = detach(run, device, settings.data_root, resume=True, plugins=settings.plugins)
        await_heartbeat(run, pid, waited=waited)
    except RunError as error:
        if drawn:
            say()
        raise RunError(f"{error}; the run stands at its checkpoint: workbench run --resume {run.name}") from error
    except KeyboardInterrupt:
        say(f"not waited for; whether it trains, says: workbench watch {run.name}", start="\n")
        return
    told = f"{run.name} goes on in the background (pid {pid}): workbench watch {run.name}"
    say(told, start="\r" if drawn else "")
