"""Commands about a run that is at work: watch it, and ask something of it."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.display import make_display
from workbench.commands.errors import FAILED
from workbench.commands.options import settings_of
from workbench.commands.output import complain, on_terminal, say
from workbench.commands.streams import Streams
from workbench.commands.training import name_to_type
from workbench.recipe.errors import InputError
from workbench.runs.errors import RunError
from workbench.runs.find.listing import find_run, holds_run, newest_live_run
from workbench.runs.queue.jobs import position
from workbench.runs.store.control_file import Action, ask
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventReader
from workbench.runs.store.status import ENDED, summary

FOLLOW_SECONDS = 0.5


def watch(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="The run; the newest live one if left out.", autocompletion=options.complete_run
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Watch a run: on a terminal on the workbench's screens, in a pipe as a line an epoch until it ends.

    Leaving does not disturb the run.

    \b
    Exit codes in a pipe:
      0 finished or stopped, 1 failed, diverged or lost

    \b
    Examples:
      workbench watch
      workbench watch last
      workbench watch last | tee log
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    directory = find_run(settings.runs, run, complain) if run is not None else newest_live_run(settings.runs, complain)
    if on_terminal() and not as_json:
        options.open_screens(settings, watch=directory)
        return
    state = follow(directory, name_to_type(directory, settings), as_json=as_json)
    if state not in ("finished", "stopped"):
        raise typer.Exit(FAILED)


def follow(run: RunDirectory, name: str, *, as_json: bool) -> str:
    """Print what a run says until it ends; returns the state in which it did."""
    reader = EventReader(run)
    warned = told = False
    blocked, unread = "", 0
    with make_display(Streams(sys.stdout, sys.stderr), name, as_json=as_json, quiet=False) as display:
        while True:
            found = summary(run)  # before reading: what was said before the end is not missed
            for event in reader.read_new():
                display.take(event)
            if reader.blocked != blocked:
                blocked = reader.blocked
                display.warn(blocked or f"{run.events_file}: can be read again")
            over = found.state in ENDED
            if reader.unread > unread and (over or not unread):
                unread = reader.unread
                display.warn(reader.left_out)
            if over:
                break
            if holds_run(run.path) is False:
                complain(f"{run.path}: is gone: deleted, renamed or replaced; see what there is with: workbench runs")
                return "lost"
            if found.state == "unknown" and found.status is not None and not found.status.host:
                raise RunError(f"run '{run.name}': {found.status.message}")
            if found.state == "queued" and not found.live:
                place = position(run)
                if place is None and summary(run) == found:  # nor was it started meanwhile
                    raise InputError(f"run '{run.name}' was not started; start it with: workbench run --resume {name}")
                if place is not None and not told:
                    display.warn(f"the run has not begun: it has place {place} of the queue")
                told = True
            if found.state == "stalled" and not warned:
                display.warn("the run's process is alive, but has not been heard of for 15 s")
            warned = found.state == "stalled"
            time.sleep(FOLLOW_SECONDS)
    if found.state == "failed" and found.status is not None and not run.started():
        complain(f"failed: {found.status.message}")
    if found.state == "lost":
        complain(f"lost: the run's process is gone; go on with: workbench run --resume {name}")
    return found.state


def stop(
    context: typer.Context, run: options.RunArgument, runs: options.Runs = None, debug: options.Debug = False
) -> None:
    """Ask a run to finish its step, save a checkpoint and leave; it can go on later.

    \b
    Example:
      workbench stop last
    """
    _ask(context, run, "stop", "finishes its step, saves a checkpoint and leaves", runs_option=runs, debug=debug)


def pause(
    context: typer.Context, run: options.RunArgument, runs: options.Runs = None, debug: options.Debug = False
) -> None:
    """Ask a run to wait; workbench continue lets it go on."""
    _ask(
        context,
        run,
        "pause",
        "waits after its step; let it go on with workbench continue",
        runs_option=runs,
        debug=debug,
    )


def go_on(
    context: typer.Context, run: options.RunArgument, runs: options.Runs = None, debug: options.Debug = False
) -> None:
    """Let a paused run go on. (A run that has ended goes on with workbench run --resume.)"""
    _ask(context, run, "continue", "goes on", runs_option=runs, debug=debug)


def checkpoint(
    context: typer.Context, run: options.RunArgument, runs: options.Runs = None, debug: options.Debug = False
) -> None:
    """Ask a run to save a checkpoint after its present step."""
    _ask(context, run, "checkpoint", "saves a checkpoint after its step", runs_option=runs, debug=debug)


def _ask(context: typer.Context, text: str, action: Action, answer: str, *, runs_option: Any, debug: bool) -> None:
    settings = settings_of(context, runs=runs_option, debug=debug)
    run = find_run(settings.runs, text, complain)
    ask(run, action)
    say(f"{run.name} {answer}")
