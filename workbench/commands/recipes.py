"""``workbench recipes`` and ``diff``: which recipes there are, what was measured of them, how two of them differ."""

from __future__ import annotations

import json
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
from workbench.runs.find.resolve import resolve_recipe

MEASURED = "measured.jsonl"
"""Beside the packaged recipes: one measurement a line.

recipe; epochs (how many of the recipe's were trained), or steps where it was less than a useful part of one; ours and,
if a plain PyTorch script was measured beside it, plain: mean and std of the test accuracy after the epochs (as shares
of 1), or of the training loss over the second half of the steps (nats), and seeds; off: techniques that were switched
off in both; machine, versions, date.
"""


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


def measurements(folder: Path | None = None) -> dict[str, list[dict[str, Any]]]:
    """Every measurement by the name of its recipe, the longest trainings first."""
    file = (folder or packaged_recipes()) / MEASURED
    found: dict[str, list[dict[str, Any]]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        measured = json.loads(line)
        found.setdefault(measured["recipe"], []).append(measured)
    for several in found.values():
        several.sort(key=lambda measured: -measured.get("epochs", 0))
    return found


def in_words(measured: dict[str, Any], epochs: float) -> str:
    """What was found, and after which part of the recipe's epochs if it was not the whole."""
    plain = measured.get("plain")
    if steps := measured.get("steps"):
        theirs = f" (plain script: {_loss(plain)})" if plain else ""
        return f"training loss {_loss(measured['ours'])} over steps {steps // 2 + 1}–{steps}{theirs}"
    text = _accuracy(measured["ours"])
    if measured["epochs"] < epochs:
        text += f" after {short(measured['epochs'])} of {short(epochs)} epochs"
    if plain:
        text += f" (plain script: {_accuracy(plain)})"
    return text


def on_what(measured: dict[str, Any]) -> str:
    """The machine, what was switched off, the versions and the date."""
    off = f"without {' and '.join(measured['off'])}; " if measured.get("off") else ""
    return f"{measured['machine']}; {off}{measured['versions']}; {measured['date']}"


def seeds(measured: dict[str, Any]) -> str:
    """``42–46``, ``7`` or ``1, 3``."""
    numbers = measured["ours"]["seeds"]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}–{numbers[-1]}"
    return ", ".join(map(str, numbers))


def markdown(recipes: Iterable[Recipe]) -> str:
    """The table of recipes/README.md."""
    found = measurements()
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


def _accuracy(part: dict[str, Any]) -> str:
    mean, std = 100 * part["mean"], 100 * part["std"]
    return f"{mean:.1f} ± {std:.1f} %" if len(part["seeds"]) > 1 else f"{mean:.1f} %"


def _loss(part: dict[str, Any]) -> str:
    return f"{part['mean']:.2f} ± {part['std']:.2f}" if len(part["seeds"]) > 1 else f"{part['mean']:.2f}"
