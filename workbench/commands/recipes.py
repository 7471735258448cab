"""``workbench recipes`` and ``diff``: which recipes there are, what was measured of them, how two of them differ."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.options import settings_of
from workbench.commands.output import complain, on_terminal, say, say_json, say_table, terminal_width
from workbench.format import short
from workbench.paths import RecipeFolder, known_recipes, natural, packaged_recipes, recipe_folders
from workbench.recipe import Recipe, RecipeError, difference, read_recipe_file
from workbench.recipe.measured import in_words, measurements, on_what, seeds
from workbench.runs.find.resolve import resolve_recipe

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
        packaged = next(folder for folder in recipe_folders() if folder.kind == "packaged")
        names = sorted(packaged.recipes, key=natural)
        say(markdown(read_recipe_file(packaged.recipes[name]) for name in names))
        return
    for folder in recipe_folders():
        if folder.problem:
            complain(folder.problem)
    measured = measurements(packaged_recipes())
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
        say("from " + ", ".join(map(_place, recipe_folders())))
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


def _place(place: RecipeFolder) -> str:
    return f"{place.folder} ({place.kind}, {len(place.recipes)})"


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
        read_recipe_file(resolve_recipe(text, settings.runs, complain), consistent=False, say=complain)
        for text in (before, after)
    )
    changes = difference(left, right)
    if as_json:
        say_json([{"path": c.path, "before": c.before, "after": c.after} for c in changes])
        return
    for change in changes:
        say(str(change))
    if not changes:
        say("no difference")


def markdown(recipes: Iterable[Recipe]) -> str:
    """The table of recipes/README.md."""
    found = measurements(packaged_recipes())
    columns = ("recipe", "what it is", "parameters", "claim of its source", "measured here", "on what", "seeds")
    lines = [f"| {' | '.join(columns)} |"]
    lines.append("|---|---|---|---|---|---|---|")
    for recipe in recipes:
        several = found.get(recipe.name, [])
        cells = [
            f"`{recipe.name}`",
            recipe.about,
            f"{recipe.expect.parameters:,}" if recipe.expect.parameters else "",
            recipe.expect.claim,
            "<br>".join(in_words(measured, recipe.train.epochs) for measured in several) or "–",
            "<br>".join(on_what(measured) for measured in several),
            "<br>".join(seeds(measured) for measured in several),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
