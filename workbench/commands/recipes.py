"""Commands about recipes: list, check, compare."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.errors import CHECK_FAILED
from workbench.commands.narration import check_line, short
from workbench.commands.options import settings_of
from workbench.commands.output import figure, on_terminal, say, say_json, say_pairs, say_table
from workbench.devices import choose
from workbench.events import CheckFinished
from workbench.places import RecipePlace, known_recipes, recipe_places, resolve_recipe
from workbench.recipe import Recipe, RecipeError, difference, read_recipe_file


def recipes(
    context: typer.Context,
    as_json: options.Json = False,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """List the recipes that can be run by name: those in ./recipes, then the packaged ones.

    \b
    Examples:
      workbench recipes
      workbench recipes --json | jq '.[].name'
    """
    settings_of(context, plugin=plugin, debug=debug)
    found = [_described(name, path) for name, path in known_recipes().items()]
    if as_json:
        say_json(found)
        return
    rows = [_row(recipe) for recipe in found]
    say_table(("name", "data", "model", "epochs", "claims", "about"), rows, wrap="about")
    if on_terminal():
        say()
        say("from " + ", ".join(map(_place, recipe_places())))


def _described(name: str, path: Any) -> dict[str, Any]:
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
        "accuracy": recipe.expect.accuracy,
        "techniques": [technique.name for technique in recipe.active()],
    }


def _row(recipe: dict[str, Any]) -> list[str]:
    if "error" in recipe:
        return [recipe["name"], "", "", "", "", f"broken: {recipe['error'][0]}"]
    claim = recipe["accuracy"]
    claims = f"{100 * claim[0]:g}–{100 * claim[1]:g} %" if claim else ""
    return [recipe["name"], recipe["dataset"], recipe["model"], short(recipe["epochs"]), claims, recipe["about"]]


def _place(place: RecipePlace) -> str:
    return f"{place.folder} ({place.kind}, {len(place.recipes)})"


def check(
    context: typer.Context,
    recipe: options.RecipeArgument,
    changes: options.Overrides = None,
    seed: options.Seed = None,
    as_json: options.Json = False,
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Build a recipe and check it without training: parameters, initial loss, input statistics.

    \b
    Exit codes:
      0 no check failed, 1 it cannot be built, 2 wrong input, 3 a check failed

    \b
    Examples:
      workbench check v1
      workbench check v1 --set data.normalise=none
      workbench check recipes/mine.toml --json
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    wanted = read_recipe_file(resolve_recipe(recipe, settings.runs), options.overrides(changes, seed))
    chosen = choose(settings.device)

    from workbench.checks.preflight import preflight_report

    report = preflight_report(wanted, chosen, settings.data_root)
    if as_json:
        say_json(report)
    else:
        _say_report(wanted, report)
    if any(found["verdict"] == "fail" for found in report["checks"]):
        raise typer.Exit(CHECK_FAILED)


def _say_report(recipe: Recipe, report: dict[str, Any]) -> None:
    parts = report["parameters_by_part"]
    pairs = [("recipe", recipe.name), ("parameters", f"{report['parameters']:,}")]
    pairs += [(f"  {name}", f"{count:,}") for name, count in parts.items()]
    pairs += [
        ("initial loss", figure(report["initial_loss"])),
        ("expected", figure(report["expected_initial_loss"])),
    ]
    say_pairs(pairs)
    for found in report["checks"]:
        say(check_line(CheckFinished(**found)))


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
    left, right = (read_recipe_file(resolve_recipe(text, settings.runs), consistent=False) for text in (before, after))
    changes = difference(left, right)
    if as_json:
        say_json([{"path": c.path, "before": c.before, "after": c.after} for c in changes])
        return
    for change in changes:
        say(str(change))
    if not changes:
        say("no difference")
