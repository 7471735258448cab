"""Commands about runs: show, watch, and ask something of one that is at work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.display import make_display
from workbench.commands.errors import FAILED
from workbench.commands.evaluation import results_of, say_confusion, say_mistakes
from workbench.commands.narration import check_line
from workbench.commands.options import settings_of
from workbench.commands.output import age, complain, on_terminal, say, say_json, say_pairs, say_table
from workbench.commands.streams import Streams
from workbench.commands.training import shown
from workbench.events import CheckFinished, Evaluated, Event, Failed, Trained
from workbench.figures import figure, percent, short
from workbench.places import packaged_recipes
from workbench.recipe import RecipeError, difference, read_recipe_file
from workbench.recipe.difference import Change
from workbench.recipe.errors import InputError
from workbench.runs.continuation import parent_name
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.folder import Tell, cannot_read, holds_run
from workbench.runs.listing import RunSummary, find_run, newest_live_run, summary
from workbench.runs.queue import position
from workbench.runs.reader import EventReader, what_counts
from workbench.runs.requests import Action, ask
from workbench.runs.results import Results
from workbench.runs.status import ENDED
from workbench.storage.regular import open_regular

FOLLOW_SECONDS = 0.5


def as_object(found: RunSummary) -> dict[str, Any]:
    """A run's summary as plain values."""
    status = found.status
    return {
        "name": found.run.name,
        "path": found.run.path.resolve(),
        "state": found.state,
        "recipe": found.recipe,
        "created": found.created,
        "step": status.step if status else 0,
        "steps": status.steps if status else 0,
        "epoch": status.epoch if status else 0.0,
        "loss": status.loss if status else None,
        "test_accuracy": status.test_accuracy if status else None,
        "best_validation_accuracy": status.best if status else None,
        "images_per_second": status.images_per_second if status else None,
        "seconds": status.seconds if status else None,
        "seed": status.seed if status else None,
        "device": status.device if status else "",
        "pid": status.pid if status else 0,
        "host": status.host if status else "",
        "message": status.message if status else "",
    }


def show(
    context: typer.Context,
    run: options.RunArgument,
    confusion: Annotated[bool, typer.Option("--confusion", help="Which classes were taken for which.")] = False,
    mistakes: Annotated[bool, typer.Option("--mistakes", help="The most confident mistakes, with pictures.")] = False,
    as_json: options.Json = False,
    runs: options.Runs = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Show one run: state, checks, evaluations, files, and how its recipe differs from the packaged one of its name.

    \b
    Examples:
      workbench show last
      workbench show 20261120-14 --json
      workbench show last --mistakes
    """
    settings = settings_of(context, runs=runs, plugin=plugin, debug=debug)
    found = summary(find_run(settings.runs, run, complain))
    if confusion or mistakes:
        _say_results(results_of(found.run), confusion=confusion, mistakes=mistakes, as_json=as_json)
        return
    reader = EventReader(found.run)
    events = what_counts(reader.read_new())
    if reader.problem:
        complain(reader.problem)
    checks = {event.name: event for event in events if isinstance(event, CheckFinished)}
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    changes = _changes(found.run, complain)
    if as_json:
        plain_checks = [
            {f: getattr(c, f) for f in ("name", "verdict", "expected", "found", "reason", "advice")}
            for c in checks.values()
        ]
        plain = [
            {f: getattr(e, f) for f in ("step", "epoch", "split", "loss", "accuracy", "seconds")} for e in evaluations
        ]
        differs = [{"path": c.path, "before": c.before, "after": c.after} for c in changes or ()]
        say_json(
            as_object(found)
            | {"continues": parent_name(found.run) or None}
            | {"checks": plain_checks, "evaluations": plain, "difference": differs, "unread_lines": reader.unread}
        )
        return
    say_pairs(_status_pairs(found, events))
    for check in checks.values():
        say(check_line(check))
    if evaluations:
        say()
        rows = [(short(e.epoch), f"{e.step:,}", e.split, figure(e.loss), percent(e.accuracy)) for e in evaluations]
        say_table(("epoch", "step", "split", "loss", "accuracy"), rows)
    if changes:
        say()
        say(f"differs from the packaged recipe '{found.recipe}':")
        for change in changes:
            say(f"  {change}")


def _say_results(results: Results, *, confusion: bool, mistakes: bool, as_json: bool) -> None:
    if as_json:
        say_json(asdict(results) | {"mistakes": [{**asdict(m), "pixels": list(m.pixels)} for m in results.mistakes]})
        return
    if confusion:
        say_confusion(results)
    if confusion and mistakes:
        say()
    if mistakes:
        say_mistakes(results)


def _status_pairs(found: RunSummary, events: Sequence[Event]) -> list[tuple[str, str]]:
    status, run = found.status, found.run
    pairs = [("run", run.name), ("state", found.state), ("recipe", found.recipe), ("folder", str(run.path))]
    if before := parent_name(run):
        pairs.append(("continues", before))
    if status is not None and not status.heartbeat:  # no process ever said it
        pairs.append(("message", status.message))
    elif status is not None:
        heard = f", heard of {age(time.time() - status.heartbeat)} ago" if found.state not in ENDED else ""
        pairs += [
            ("step", f"{status.step:,} of {status.steps:,} (epoch {short(status.epoch)})"),
            ("loss", figure(status.loss)),
            ("test accuracy", percent(status.test_accuracy)),
            ("best validation", percent(status.best) if status.best is not None else ""),
            ("process", f"{status.pid} on {status.host}, {status.device or 'no device yet'}{heard}"),
            ("message", status.message),
        ]
    if _goes_on(found.state, events):
        pairs.append(("go on with", f"workbench run --resume {run.name}"))
    files = (
        run.recipe_file,
        run.env_file,
        run.events_file,
        run.log_file,
        run.results_file,
        run.checkpoints / "last.pt",
        run.checkpoints / "best.pt",
    )
    pairs.append(("files", ", ".join(str(file.relative_to(run.path)) for file in files if file.exists())))
    return [(name, value) for name, value in pairs if value]


def _goes_on(state: str, events: Sequence[Event]) -> bool:
    """Whether a run that has ended may end otherwise if it goes on: not where its own recipe ended it."""
    if state == "failed":
        last = next((event for event in reversed(events) if isinstance(event, Failed)), None)
        return last is not None and last.resumable and any(isinstance(event, Trained) for event in events)
    return state in ENDED - {"finished", "diverged"}


def _changes(run: RunDirectory, tell: Tell) -> list[Change] | None:
    """How a run's recipe differs from the packaged one of its name; None where that cannot be said.

    tell: hears why the recipe cannot be read.
    """
    try:
        os.close(open_regular(run.recipe_file))
    except OSError as error:
        tell(str(cannot_read(run.recipe_file, error)))
        return None
    try:
        recipe = read_recipe_file(run.recipe_file, consistent=False)
        packaged = packaged_recipes() / f"{recipe.name}.toml"
        if not packaged.is_file():
            return None
        changes = difference(read_recipe_file(packaged, consistent=False), recipe)
        return [change for change in changes if change.path != "train.threads"]  # written down by every run
    except RecipeError:
        return None


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
    state = follow(directory, shown(directory, settings), as_json=as_json)
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
