"""``workbench profile``: say where a recipe's time goes, and try the change that the figures suggest."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.status import Status
from rich.text import Text

from workbench.commands import options
from workbench.commands.options import settings_of
from workbench.commands.output import VisibleConsole, complain, on_terminal, say, terminal_width
from workbench.commands.profile_text import lines
from workbench.cores import usable_cores
from workbench.devices import choose
from workbench.filesystem import why
from workbench.format import percent
from workbench.paths import saved_recipes
from workbench.printing import write
from workbench.profiling.report import MeasuringProgress, Report, from_plain, to_plain
from workbench.profiling.suggestions import changed
from workbench.recipe import Recipe, RecipeError, read_recipe_file, save_recipe
from workbench.recipe.errors import InputError, Problem
from workbench.runs.find.resolve import resolve_recipe
from workbench.runs.store.environment import cpu_name
from workbench.storage.json_text import dumps
from workbench.storage.regular import MIDDLING, read_bytes
from workbench.visible import visible


def profile_command(
    context: typer.Context,
    recipe: options.RecipeArgument,
    changes: options.Overrides = None,
    try_it: Annotated[
        bool, typer.Option("--try", help="Train with and without the suggested change in turns, and say what it gains.")
    ] = False,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="NAME", help="With --try: keep the changed recipe as ./recipes/NAME.toml."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="With --try: what --json printed; nothing is measured anew."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, max=600, help="How long each part is measured.")
    ] = 4.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="Print what is being measured, then the report, each a line of JSON.")
    ] = False,
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Say what limits a recipe's speed on this machine, with one change to try.

    Measures copies in this process and writes nothing: the phases of a step, batches alone, the network alone, both
    together. --try also trains with the change; --save keeps it if every pair of measurements was faster.

    \b
    Examples:
      workbench profile resnet20 --set data.pipeline=loader
      workbench profile v2 --try --save v2-faster
      workbench profile last --json > found.json
      workbench profile last --try --report found.json
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    wanted = read_recipe_file(resolve_recipe(recipe, settings.runs, complain), changes or (), say=complain)
    target = _target(save, try_it)
    chosen = choose(settings.device)
    known = _known(report, wanted, chosen, try_it=try_it) if report is not None else None

    from workbench.profiling.profile import profile

    machine = f"{cpu_name()}, {usable_cores()} cores"
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what plugins print is no result
        items = profile(
            wanted, chosen, settings.data_root, machine=machine, seconds=seconds, try_it=try_it, known=known
        )
        found = _follow(items, out, json_lines=json_lines, quiet=as_json)
    if json_lines:
        say(dumps({"kind": "report", **to_plain(found)}))
    elif as_json:
        say(dumps(to_plain(found)))
    else:
        for line in lines(found, terminal_width() if on_terminal() else 80):
            say(line)
    _keep(wanted, found, target, tell=complain if as_json or json_lines else say)


def _follow(items: Iterable[MeasuringProgress | Report], out: TextIO, *, json_lines: bool, quiet: bool) -> Report:
    """Show what is being measured; the report is the last item."""
    report: Report | None = None
    console = VisibleConsole(stderr=True)
    live = console.is_terminal and not json_lines and not quiet
    with Status("", console=console) if live else contextlib.nullcontext() as status:
        for item in items:
            if isinstance(item, Report):
                report = item
            elif json_lines:
                write(out, dumps({"kind": "progress", **to_plain(item)}))
            elif status is not None:
                status.update(Text(f"{percent(item.share, 0)}  {visible(item.message)}"))
    assert report is not None
    return report


def _known(file: Path, recipe: Recipe, device: str, *, try_it: bool) -> Report:
    """An earlier report of this recipe on this device. Raises InputError where the file has none."""
    if not try_it:
        raise InputError("--report says what is to be tried; give --try too")
    try:
        found: Report = from_plain(Report, json.loads(read_bytes(file, MIDDLING)))
    except OSError as error:
        raise InputError(f"--report {file} cannot be read: {why(error, file)}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"--report {file} is no report; workbench profile RECIPE --json prints one") from None
    if (found.recipe, found.device) != (recipe.name, device):
        about = f"{found.recipe} on {found.device}, not about {recipe.name} on {device}"
        raise InputError(f"--report {file} is about {about}")
    return replace(found, trials=[])


def _target(name: str | None, try_it: bool) -> Path | None:
    """The file to save to. Raises InputError where it cannot be."""
    if name is None:
        return None
    if not try_it:
        raise InputError("--save keeps a change that was tried; give --try too")
    if not name or "/" in name or name.startswith("."):
        raise InputError(f"--save '{name}': give a name, such as mine for ./recipes/mine.toml")
    path = saved_recipes() / f"{name.removesuffix('.toml')}.toml"
    if path.exists():
        raise InputError(f"{path} is there already; choose another name for --save")
    return path


def _keep(recipe: Recipe, report: Report, target: Path | None, tell: Callable[[str], None]) -> None:
    if target is None:
        return
    if not report.trials or report.trials[0].low <= 1:
        tell(f"not saved: {'it was not faster in every pair' if report.trials else 'there was nothing to try'}")
        return
    trial = report.trials[0]
    kept = changed(recipe, trial.changes).model_copy(update={"name": target.stem})
    try:
        save_recipe(kept, target)
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be written: {why(error, target)}", None, str(target))]) from None
    tell(f"saved as {target}")
