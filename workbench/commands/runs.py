"""``workbench runs``: which runs there are, in which order, those of one kind folded into one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from workbench.commands import options, runs_table
from workbench.commands.options import settings_of
from workbench.commands.output import complain, say_json
from workbench.recipe.errors import InputError
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Catalog, Entry
from workbench.runs.find.compare import METRICS
from workbench.runs.find.fields import ordered
from workbench.runs.find.groups import Group, grouped
from workbench.runs.find.keys import Vocabulary
from workbench.runs.find.query import Query, QueryError, parse
from workbench.runs.store.status import RunSummary


def runs_command(
    context: typer.Context,
    query: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY…]", help="Which runs, such as state:finished acc>0.9 resnet.")
    ] = None,
    sort: Annotated[str, typer.Option("--sort", metavar="FIELD", help="Sort by a field; -FIELD: largest first.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="Show only so many, the first; 0: all.")] = 0,
    columns: Annotated[
        str, typer.Option("--columns", metavar="A,B,…", help="These columns: fields, or keys of the recipes.")
    ] = "",
    group: Annotated[
        bool, typer.Option("--group", help="Fold runs that differ by their seed only into mean ± spread.")
    ] = False,
    as_json: options.Json = False,
    runs: options.Runs = None,
    debug: options.Debug = False,
) -> None:
    """List the runs, the newest first.

    A query is words and conditions that must all hold: words stand in the name, the recipe, a tag or the note;
    conditions are FIELD:TEXT, FIELD=VALUE, FIELD>VALUE, >=, <, <=, with fields name, recipe, state, tag, note, device,
    host, acc, best, loss, test_loss, time, speed, seed, step, steps, epoch, age. Commas separate alternatives, ! turns
    a term round (after --, - does too), != is = turned round, times need a unit (s, m, h, d, w). Quote what the shell
    would take for itself. A FIELD may also be a key of the recipes, or its end: learning_rate>0.05, model.channels=64;
    +cutmix finds the runs with a technique, !+cutmix those without. The same names go after --sort and --columns.
    The columns that come by themselves are those in which the runs differ; what all have in common stands above.

    States: queued, running, paused, finished, stopped, diverged, failed; stalled (alive, but silent for 15 s), lost
    (its process is gone), unknown (at work on another machine). live and ended stand for several of them.

    \b
    Examples:
      workbench runs
      workbench runs 'state:finished acc>0.9 resnet' --sort -acc
      workbench runs 'tag:paper !seed:0 age<2d' --limit 20
      workbench runs 'learning_rate>0.05 +cutout' --sort -acc --columns state,name,acc,learning_rate,data.batch_size
      workbench runs --group
      workbench runs --json | jq '.[] | select(.state == "running") | .name'
    """
    settings = settings_of(context, runs=runs, debug=debug)
    now = time.time()
    listing = Catalog(settings.runs).refresh()
    if listing.problem:
        raise RunError(listing.problem)
    if listing.left_out:
        complain(listing.left_out)
    vocabulary = Vocabulary(entry.keys for entry in listing.entries)
    chosen = runs_table.chosen(columns, vocabulary) if columns and (listing.entries or not as_json) else []
    asked = _query(query or (), vocabulary)
    found = asked.select(listing.entries, now)
    if group:
        found = grouped(found)
    if sort:
        found = _sorted(found, sort, now, vocabulary)
    found = found[:limit] if limit else found
    if as_json:
        say_json([_plain(entry, listing.baseline, group) | runs_table.values(entry, chosen, now) for entry in found])
    elif found:
        runs_table.say_runs(found, chosen, now, asked)
    elif listing.entries:
        hint = f"; {asked.hint}" if asked.hint else ""
        complain(f"no run in {settings.runs} is like that ({len(listing.entries):,} looked at){hint}")
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


def _plain(entry: Entry, baseline: str, group: bool) -> dict[str, Any]:
    """A run, or a line of a grouped list: there one run is a group of one."""
    if not group:
        return as_object(entry) | _notes(entry, baseline)
    whole = entry if isinstance(entry, Group) else Group(**vars(entry), members=(entry,))
    figures = {metric.name: whole.figure(metric) for metric in METRICS if metric.kind != "count"}
    return {
        "recipe": whole.recipe,
        "runs": [member.name for member in whole.members],
        "n": len(whole.members),
        "states": whole.states,
        "seeds": [member.status.seed if member.status else None for member in whole.members],
        "figures": {name: asdict(figure) if figure else None for name, figure in figures.items()},
    }


def _query(words: Sequence[str], vocabulary: Vocabulary) -> Query:
    """One argument may hold the whole query; several are as if they stood in one."""
    try:
        return parse(" ".join(words), vocabulary)
    except QueryError as error:
        raise InputError(str(error)) from None


def _sorted(found: Sequence[Entry], sort: str, now: float, vocabulary: Vocabulary) -> list[Entry]:
    try:
        return ordered(found, sort.removeprefix("-"), now, descending=sort.startswith("-"), vocabulary=vocabulary)
    except RunError as error:
        raise InputError(f"--sort: {error}") from None


def _notes(entry: Entry, baseline: str) -> dict[str, Any]:
    return {"tags": entry.notes.tags, "note": entry.notes.note, "baseline": entry.name == baseline}
