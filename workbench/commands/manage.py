"""Commands that keep order among runs: compare them, tag them, write notes, delete."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.options import settings_of
from workbench.commands.output import complain, on_terminal, say, say_json, say_table
from workbench.filesystem import absolute
from workbench.format import UNKNOWN, bare, duration, figure, percent
from workbench.recipe import RecipeError
from workbench.recipe.errors import InputError
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Entry, entry_of
from workbench.runs.find.compare import Comparison, Metric, RecipeCache, compare, metric_change
from workbench.runs.find.listing import find_run
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import read_notes, split_tags, write_note, write_tags
from workbench.runs.store.trash import RULE, bring_back, deletions, new_deletion, remove, size, tidy, undeletable

RunArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN…", help="Runs: names, parts of names, folders, or last.", autocompletion=options.complete_run
    ),
]

DeletedArguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN…]", help="Runs: names, parts of names, folders, or last.", autocompletion=options.complete_run
    ),
]


def tag(
    context: typer.Context,
    run: options.RunArgument,
    tags: Annotated[list[str], typer.Argument(metavar="TAG…", help="Words.")],
    remove_them: Annotated[bool, typer.Option("--remove", help="Take these tags away.")] = False,
    runs: options.Runs = None,
    debug: options.Debug = False,
) -> None:
    """Tag a run, so that workbench runs tag:WORD finds it.

    \b
    Examples:
      workbench tag last paper
      workbench tag 20261120-14 paper wide
      workbench tag last wide --remove
    """
    settings = settings_of(context, runs=runs, debug=debug)
    found = find_run(settings.runs, run, complain)
    given = split_tags(" ".join(tags))
    before = _readable_tags(found)
    after = [word for word in before if word not in given] if remove_them else [*before, *given]
    write_tags(found, after)
    say(f"{found.name}: {' '.join(dict.fromkeys(after)) or 'no tags'}")


def _readable_tags(run: RunDirectory) -> tuple[str, ...]:
    notes = read_notes(run)
    if notes.problem:
        raise RunError(notes.problem)
    return notes.tags


def note(
    context: typer.Context,
    run: options.RunArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help='The note; "" takes it away.')],
    runs: options.Runs = None,
    debug: options.Debug = False,
) -> None:
    """Write a note about a run, so that workbench runs WORDS finds it.

    \b
    Example:
      workbench note last "the one for the table"
    """
    settings = settings_of(context, runs=runs, debug=debug)
    found = find_run(settings.runs, run, complain)
    write_note(found, text)
    say(f"{found.name}: {text.strip() or 'no note'}")


def delete(
    context: typer.Context,
    runs_given: DeletedArguments = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Bring back what was deleted last, or the deleted runs that are named.")
    ] = False,
    empty: Annotated[bool, typer.Option("--empty", help="Remove for good what was deleted.")] = False,
    runs: options.Runs = None,
    debug: options.Debug = False,
) -> None:
    """Delete runs with their checkpoints and curves. Runs that are at work are refused.

    They are kept for 7 days, at most 10 GB of them, in the hidden folder .trash beside the runs.

    \b
    Examples:
      workbench delete last
      workbench delete 20261120-142501-v2-3f9c 20261120-150212-v2-81aa --yes
      workbench delete --undo
      workbench delete --empty
    """
    settings = settings_of(context, runs=runs, debug=debug)
    given = runs_given or []
    if undo and empty:
        raise InputError("--undo and --empty exclude each other")
    if undo:
        for run in bring_back(settings.runs, given):
            say(f"brought back {run.name}")
    elif empty:
        _empty(settings.runs, given, yes=yes)
    elif not given:
        raise InputError("which runs? name them, or last; workbench runs lists them")
    else:
        _delete(settings.runs, given, yes=yes)


def _delete(root: Path, given: Sequence[str], *, yes: bool) -> None:
    found = _runs(root, given)
    for run in found:
        if reason := undeletable(run):
            raise RunError(reason)
    if not yes and not _agreed(found):
        say("nothing was deleted")
        return
    folders = list(dict.fromkeys(run.path.parent for run in found))
    at_once = {folder: new_deletion(folder) for folder in folders}
    for run in found:
        remove(run, at_once[run.path.parent])
        say(f"deleted {run.name}")
    for folder in folders:
        tidy(folder)
        elsewhere = "" if folder.resolve() == root.resolve() else f" --runs {shlex.quote(str(folder))}"
        complain(f"{RULE}; workbench delete --undo{elsewhere} brings back what was deleted last")


def _empty(root: Path, given: Sequence[str], *, yes: bool) -> None:
    if given:
        raise InputError("--empty removes all deleted runs, and takes no names")
    deleted = [run for deletion in deletions(root) for run in deletion.runs]
    if not deleted:
        say("nothing is in the trash")
    elif not yes and not _agreed(deleted, " for good"):
        say("nothing was removed")
    else:
        gone = tidy(root, everything=True)
        say(f"removed {gone} deleted run{'' if gone == 1 else 's'} for good")


def _agreed(runs: Sequence[RunDirectory], how: str = "") -> bool:
    if not (on_terminal() and sys.stdin.isatty()):
        raise InputError("nobody can be asked here; delete without asking with --yes")
    for run in runs:
        say(run.name)
    return typer.confirm(
        f"Delete {'it' if len(runs) == 1 else f'these {len(runs)} runs'}{how} ({size(runs) / 1_000_000:,.1f} MB)?"
    )


def compare_command(
    context: typer.Context,
    runs_given: RunArguments,
    as_json: options.Json = False,
    runs: options.Runs = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Compare runs with the first of them: in which keys their recipes differ, and what came out.

    \b
    Examples:
      workbench compare last 20261120-14
      workbench compare 3f9c 81aa 07be --json
    """
    settings = settings_of(context, runs=runs, plugin=plugin, debug=debug)
    entries = [entry_of(run) for run in _runs(settings.runs, runs_given)]
    if len(entries) < 2:
        raise InputError("a comparison needs two runs or more; workbench runs lists them")
    try:
        found = compare(entries, RecipeCache())
    except RecipeError as error:
        raise RunError(str(error.problems[0])) from error
    if as_json:
        say_json(_as_object(found))
        return
    columns = [f"{number}: {entry.name}" for number, entry in enumerate(entries, 1)]
    for line in columns:
        say(line)
    numbers = [str(number) for number in range(1, len(entries) + 1)]
    say()
    if found.recipe:
        say_table(("recipe", *numbers), [(path, *map(bare, values)) for path, values in found.recipe])
    else:
        say("the recipes are the same")
    say()
    say_table(("figures", *_headings(numbers)), [_row(metric, values) for metric, values in found.metrics])


def _runs(root: Path, given: Sequence[str]) -> list[RunDirectory]:
    """The runs that are meant, each once. Raises RunNotFound before anything is done with one of them."""
    return list({absolute(run.path): run for run in (find_run(root, text, complain) for text in given)}.values())


def _headings(numbers: Sequence[str]) -> list[str]:
    return [numbers[0]] + [heading for number in numbers[1:] for heading in (number, f"{number} − 1")]


def _row(metric: Metric, values: Sequence[float | None]) -> list[str]:
    first, *others = values
    cells = [metric.name, _figure(metric, first)]
    for value in others:
        cells += [_figure(metric, value), metric_change(metric, first, value)]
    return cells


def _figure(metric: Metric, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    match metric.kind:
        case "share":
            return percent(value)
        case "loss":
            return figure(value)
        case "seconds":
            return duration(value)
        case _:
            return f"{value:,.0f}"


def _as_object(found: Comparison) -> dict[str, Any]:
    return {
        "runs": [_run(entry) for entry in found.runs],
        "recipe": [{"path": path, "values": list(values)} for path, values in found.recipe],
        "figures": [{"name": metric.name, "values": list(values)} for metric, values in found.metrics],
    }


def _run(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "path": absolute(entry.run.path), "state": entry.state, "recipe": entry.recipe}
