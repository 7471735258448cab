"""Commands about recipes: list, check, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.errors import CHECK_FAILED
from workbench.commands.narration import check_line
from workbench.commands.options import settings_of
from workbench.commands.output import complain, on_terminal, say, say_json, say_pairs, say_table, terminal_width
from workbench.commands.range_chart import range_chart
from workbench.commands.recipe_table import in_words, markdown, measurements, seeds
from workbench.devices import choose
from workbench.events import CheckFinished
from workbench.figures import figure, short
from workbench.places import RecipePlace, known_recipes, natural, packaged_recipes, recipe_places, resolve_recipe
from workbench.recipe import Recipe, RecipeError, difference, read_recipe_file
from workbench.recipe.errors import InputError
from workbench.recipe.registries import CHECKS

WIDE = 120
"""Columns from which on a terminal has room for the whole table of recipes."""


def recipes(
    context: typer.Context,
    as_json: options.Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The table of recipes/README.md.")] = False,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """List the recipes that can be run by name, with what their sources claim and what was measured of them.

    Those in ./recipes come before packaged ones of their name. A narrow terminal shows fewer columns, a pipe all.

    \b
    Examples:
      workbench recipes
      workbench recipes --json | jq '.[].name'
    """
    settings_of(context, plugin=plugin, debug=debug)
    if as_markdown:
        packaged = next(place for place in recipe_places() if place.kind == "packaged")
        names = sorted(packaged.recipes, key=natural)
        say(markdown(read_recipe_file(packaged.recipes[name]) for name in names))
        return
    for place in recipe_places():
        if place.problem:
            complain(place.problem)
    measured = measurements()
    found = [_described(name, path, measured) for name, path in known_recipes().items()]
    if as_json:
        say_json(found)
        return
    columns: tuple[str, ...] = ("name", "data", "epochs", "parameters", "claim", "measured here", "about")
    rows = [_row(recipe) for recipe in found]
    if on_terminal() and terminal_width() < WIDE:
        kept = [columns.index(column) for column in ("name", "parameters", "claim", "measured here")]
        columns, rows = tuple(columns[i] for i in kept), [[row[i] for i in kept] for row in rows]
    say_table(columns, rows, wrap=("claim", "measured here", "about"))
    if on_terminal():
        say()
        say("from " + ", ".join(map(_place, recipe_places())))
        say("mean ± standard deviation of the test accuracy; workbench recipes --json says on which machine")


def _described(name: str, path: Path, measured: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    try:
        recipe = read_recipe_file(path)
    except RecipeError as error:
        return {"name": name, "path": path, "error": [str(problem) for problem in error.problems]}
    return {
        "name": name,
        "path": path,
        "about": recipe.about,
        "dataset": recipe.data.source,
        "model": recipe.model.name,
        "epochs": recipe.train.epochs,
        "parameters": recipe.expect.parameters,
        "claim": recipe.expect.claim,
        "accuracy": recipe.expect.accuracy,
        "measured": measured.get(name, []) if path.parent == packaged_recipes() else [],
        "techniques": [technique.name for technique in recipe.active()],
    }


def _row(recipe: dict[str, Any]) -> list[str]:
    if "error" in recipe:
        return [recipe["name"], "", "", "", f"broken: {recipe['error'][0]}", "", ""]
    parameters = f"{recipe['parameters']:,}" if recipe["parameters"] else ""
    measured = ""
    if recipe["measured"]:
        longest = recipe["measured"][0]
        measured = f"{in_words(longest, recipe['epochs'])}; seeds {seeds(longest)}"
    epochs = short(recipe["epochs"])
    return [recipe["name"], recipe["dataset"], epochs, parameters, recipe["claim"], measured, recipe["about"]]


def _place(place: RecipePlace) -> str:
    return f"{place.folder} ({place.kind}, {len(place.recipes)})"


def check(
    context: typer.Context,
    recipe: options.RecipeArgument,
    changes: options.Overrides = None,
    seed: options.Seed = None,
    everything: Annotated[bool, typer.Option("--all", help="Make the checks that take longer, too.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="NAME", help="Make this check; repeatable.", autocompletion=options.complete_check
        ),
    ] = None,
    range_test: Annotated[
        bool, typer.Option("--range-test", help="Find out which learning rates suit: a chart and a suggestion.")
    ] = False,
    as_json: options.Json = False,
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Build a recipe and check it without training; workbench checks lists what is checked.

    \b
    Exit codes:
      0 no check failed, 1 it cannot be built, 2 wrong input, 3 a check failed

    \b
    Examples:
      workbench check v1
      workbench check v1 --set data.normalise=none
      workbench check v1 --all
      workbench check v1 --range-test
      workbench check v1 --only overfit_batch --only zero_input
      workbench check recipes/mine.toml --json
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    wanted = read_recipe_file(resolve_recipe(recipe, settings.runs, complain), options.overrides(changes, seed))
    chosen = choose(settings.device)

    names = _asked(only or (), range_test)
    if everything and names:
        raise InputError("--all makes every check; leave out --only and --range-test")

    from workbench.checks.preflight import preflight_report

    report = preflight_report(wanted, chosen, settings.data_root, names, everything=everything)
    if as_json:
        say_json(report)
    else:
        _say_report(wanted, report)
    if any(found["verdict"] == "fail" for found in report["checks"]):
        raise typer.Exit(CHECK_FAILED)


def _asked(only: Sequence[str], range_test: bool) -> list[str]:
    """The names of the checks asked for. Raises InputError for one that there is not, or that belongs to a run."""
    for name in only:
        if name not in CHECKS:
            raise InputError(CHECKS.unknown(name))
        if CHECKS[name].when != "before":
            raise InputError(f"check '{name}' is made {CHECKS[name].when} a run: workbench run")
    return [*only, *(["learning_rate_range"] if range_test else [])]


def _say_report(recipe: Recipe, report: dict[str, Any]) -> None:
    pairs = [("recipe", recipe.name)]
    if report["parameters"] is not None:  # None: what it takes data to know
        pairs.append(("parameters", f"{report['parameters']:,}"))
    pairs += [(f"  {name}", f"{count:,}") for name, count in report["parameters_by_part"].items()]
    if report["multiply_adds"] is not None:
        pairs.append(("multiply-adds", f"{report['multiply_adds']:,} an image"))
    if report["steps"] is not None:
        pairs.append(("steps", f"{report['steps']:,}, {report['steps_per_epoch']:,} an epoch"))
    pairs.append(("executed", report["execution"]["in_words"]))
    if report["initial_loss"] is not None:
        pairs += [
            ("initial loss", figure(report["initial_loss"])),
            ("expected", figure(report["expected_initial_loss"])),
        ]
    say_pairs(pairs)
    for note in report["notes"]:
        say(note)
    for found in report["checks"]:
        say(check_line(CheckFinished(**found)))
    if tested := report.get("figures", {}).get("learning_rate_range"):
        say()
        for line in range_chart(tested["points"], tested["suggestion"]):
            say(line)


def diff(
    context: typer.Context,
    before: Annotated[
        str, typer.Argument(metavar="A", help="A recipe or a run.", autocompletion=options.complete_recipe)
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="Another one.", autocompletion=options.complete_recipe)],
    as_json: options.Json = False,
    runs: options.Runs = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """What has to change to get from one recipe to another; either may be a run.

    \b
    Examples:
      workbench diff v1 v2
      workbench diff v2 last
    """
    settings = settings_of(context, runs=runs, plugin=plugin, debug=debug)
    left, right = (
        read_recipe_file(resolve_recipe(text, settings.runs, complain), consistent=False) for text in (before, after)
    )
    changes = difference(left, right)
    if as_json:
        say_json([{"path": c.path, "before": c.before, "after": c.after} for c in changes])
        return
    for change in changes:
        say(str(change))
    if not changes:
        say("no difference")
