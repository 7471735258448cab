"""``workbench runs``: which runs there are, in which order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.options import settings_of
from workbench.commands.output import complain, say_json, say_table
from workbench.format import UNKNOWN, age, percent
from workbench.recipe.errors import InputError
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Catalog, Entry
from workbench.runs.find.query import Query, QueryError, ordered, parse
from workbench.runs.store.status import RunSummary


def runs_command(
    context: typer.Context,
    query: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY…]", help="Which runs, such as state:finished acc>0.9 resnet.")
    ] = None,
    sort: Annotated[str, typer.Option("--sort", metavar="FIELD", help="Sort by a field; -FIELD: largest first.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="Show only so many, the first; 0: all.")] = 0,
    as_json: options.Json = False,
    runs: options.Runs = None,
    debug: options.Debug = False,
) -> None:
    """List the runs, the newest first.

    A query is words and conditions that must all hold: words stand in the name, the recipe, a tag or the note;
    conditions are FIELD:TEXT, FIELD=VALUE, FIELD>VALUE, >=, <, <=, with fields name, recipe, state, tag, note, device,
    host, acc, best, loss, test_loss, time, speed, seed, step, steps, epoch, age. Commas separate alternatives, ! turns
    a term round (after --, - does too), times need a unit (s, m, h, d, w). Quote what the shell would take for itself.

    States: queued, running, paused, finished, stopped, diverged, failed; stalled (alive, but silent for 15 s), lost
    (its process is gone), unknown (at work on another machine). live and ended stand for several of them.

    \b
    Examples:
      workbench runs
      workbench runs 'state:finished acc>0.9 resnet' --sort -acc
      workbench runs 'tag:paper !seed:0 age<2d' --limit 20
      workbench runs --json | jq '.[] | select(.state == "running") | .name'
    """
    settings = settings_of(context, runs=runs, debug=debug)
    now = time.time()
    listing = Catalog(settings.runs).refresh()
    if listing.problem:
        raise RunError(listing.problem)
    if listing.left_out:
        complain(listing.left_out)
    found = _query(query or ()).select(listing.entries, now)
    if sort:
        found = _sorted(found, sort, now)
    found = found[:limit] if limit else found
    if as_json:
        say_json([as_object(run) | _notes(run, listing.baseline) for run in found])
    elif found:
        columns = ("state", "run", "recipe", "test", "best", "step", "age")
        tagged = any(run.notes.tags for run in found)
        rows = [[*_row(run), *([" ".join(run.notes.tags)] if tagged else [])] for run in found]
        say_table((*columns, "tags") if tagged else columns, rows)
    elif listing.entries:
        complain(f"no run in {settings.runs} is like that ({len(listing.entries):,} looked at)")
    elif not listing.unreadable:
        complain(f"no runs in {settings.runs}; start one with: workbench run digits")


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


def _query(words: Sequence[str]) -> Query:
    """One argument may hold the whole query; several are as if they stood in one."""
    try:
        return parse(" ".join(words))
    except QueryError as error:
        raise InputError(str(error)) from None


def _sorted(found: Sequence[Entry], sort: str, now: float) -> list[Entry]:
    try:
        return ordered(found, sort.removeprefix("-"), now, descending=sort.startswith("-"))
    except RunError as error:
        raise InputError(f"--sort: {error}") from None


def _notes(entry: Entry, baseline: str) -> dict[str, Any]:
    return {"tags": entry.notes.tags, "note": entry.notes.note, "baseline": entry.name == baseline}


def _row(found: Entry) -> list[str]:
    status = found.status
    return [
        found.state,
        found.run.name,
        found.recipe,
        percent(status.test_accuracy) if status else UNKNOWN,
        percent(status.best) if status and status.best is not None else "",
        f"{status.step:,}/{status.steps:,}" if status and status.steps else UNKNOWN,
        age(time.time() - found.created),
    ]
