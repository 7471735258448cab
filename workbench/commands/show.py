"""``workbench show``: one run, its results and how its recipe differs."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Annotated

import typer

from workbench.commands import options
from workbench.commands.curves import say_curves
from workbench.commands.evaluation import results_of, say_confusion, say_mistakes
from workbench.commands.options import settings_of
from workbench.commands.output import complain, say, say_json, say_pairs, say_table
from workbench.commands.reporter import check_line
from workbench.commands.runs import as_object
from workbench.evaluation.results import Results
from workbench.format import age, figure, percent, short
from workbench.paths import packaged_recipes
from workbench.recipe import RecipeError, difference, read_recipe_file
from workbench.recipe.difference import Change
from workbench.runs.errors import Tell, cannot_read
from workbench.runs.find.listing import find_run
from workbench.runs.store.continuation import parent_name
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventReader
from workbench.runs.store.history import RunHistory
from workbench.runs.store.status import ENDED, RunSummary, summary
from workbench.storage.regular import open_regular
from workbench.tui.run.view import RunView


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
    """Show one run: state, checks, curves, evaluations, files, how its recipe differs from its packaged one.

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
    history = RunView()
    history.feed(reader.read()[0])
    if reader.problem:
        complain(reader.problem)
    checks, evaluations = history.checks.values(), history.evaluations
    changes = _changes(found.run, complain)
    if as_json:
        plain_checks = [
            {f: getattr(c, f) for f in ("name", "verdict", "expected", "found", "reason", "advice")} for c in checks
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
    say_pairs(_status_pairs(found, history))
    for check in checks:
        say(check_line(check))
    say_curves(history)
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


def _status_pairs(found: RunSummary, history: RunHistory) -> list[tuple[str, str]]:
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
    if history.goes_on(found.state):
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
