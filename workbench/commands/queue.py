"""``workbench queue``: the runs that wait for their turn, and what queueing one says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.options import Settings, settings_of
from workbench.commands.output import complain, on_terminal, say, say_json, say_table
from workbench.format import age
from workbench.recipe.errors import InputError
from workbench.runs.errors import RunError
from workbench.runs.find.listing import find_run, look_into
from workbench.runs.queue import jobs
from workbench.runs.queue.held_devices import LiveRuns
from workbench.runs.queue.worker import ensure_worker
from workbench.runs.store.directory import RunDirectory


def queue_command(
    context: typer.Context,
    first: Annotated[
        str | None,
        typer.Option("--first", metavar="RUN", help="Move a run to the front.", autocompletion=options.complete_run),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="RUN", help="Take a run out.", autocompletion=options.complete_run),
    ] = None,
    as_json: options.Json = False,
    runs: options.Runs = None,
    debug: options.Debug = False,
) -> None:
    """List the runs that wait for their turn, or change their order.

    Each begins in the background as soon as no run of this folder is at work on its device, whether a terminal is open
    or not. After a restart of the machine this command, or opening the screens, lets the queue go on.

    \b
    Exit codes:
      0 done, 2 no such run in the queue

    \b
    Examples:
      workbench run v2 --queue
      workbench queue
      workbench queue --first v2
      workbench queue --remove 20261120-14
    """
    settings = settings_of(context, runs=runs, debug=debug)
    if first is not None and remove is not None:
        raise InputError("--first and --remove are two commands; give one of them")
    if (named := first or remove) is not None:
        run = find_run(settings.runs, named, complain)
        if not (jobs.move_to_front(run) if first is not None else jobs.remove(run)):
            raise InputError(f"run '{run.name}' is not in the queue; workbench queue lists what is")
    folder = look_into(settings.runs)
    if folder.problem:
        raise RunError(folder.problem)
    if folder.left_out:
        complain(folder.left_out)
    if pid := ensure_worker(settings.runs):
        complain(f"nothing was looking after the queue; it goes on now (pid {pid})")
    closed = jobs.unreadable(settings.runs)
    for path, reason in closed:
        complain(f"{path}: {reason}; left out")
    found = described(settings.runs)
    if as_json:
        say_json(found)
    elif found:
        rows = [
            (str(e["place"]), e["name"], e["device"], age(time.time() - e["queued"]), e["waits_for"]) for e in found
        ]
        say_table(("place", "run", "device", "since", "waits for"), rows, wrap="waits for")
    elif closed:
        complain("nothing else is queued")
    elif remove is None:
        complain("nothing is queued; queue a run with: workbench run RECIPE --queue")
    else:
        complain("nothing is queued any more")


def described(root: Path) -> list[dict[str, Any]]:
    """The queue as plain values, with what each entry waits for."""
    entries, live = jobs.entries(root), LiveRuns(root).find()
    return [
        {
            "place": entry.place,
            "name": entry.run.name,
            "path": entry.run.path.resolve(),
            "device": entry.job.device,
            "host": entry.job.host,
            "queued": entry.job.queued,
            "waits_for": jobs.waits_for(entry, live, entries[:number]),
        }
        for number, entry in enumerate(entries)
    ]


def enqueue(run: RunDirectory, settings: Settings, name: str, as_json: bool, *, checks: bool = True) -> None:
    """Queue a run and say where it stands. name: what to type for it."""
    jobs.add(run, settings.device, settings.data_root, settings.plugins, checks=checks)
    ensure_worker(run.path.parent)
    found = next((e for e in described(run.path.parent) if e["name"] == run.name), None)
    if as_json:
        place, waits = (found["place"], found["waits_for"]) if found else (None, "")
        say_json({"run": run.name, "path": run.path.resolve(), "place": place, "waits_for": waits})
        return
    stands = f"place {found['place']} of the queue; it waits for {found['waits_for']}" if found else "it begins now"
    if on_terminal():
        say(f"{run.name}: {stands}")
        say(f"follow it with:   workbench watch {name}")
        say(f"take it out with: workbench queue --remove {name}")
    else:
        say(run.name)
        complain(stands)
