"""Commands about what recipes are made of: techniques, models, data sources and checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from workbench.commands import options
from workbench.commands.options import settings_of
from workbench.commands.output import VisibleConsole, complain, on_terminal, say, say_json, say_pairs, say_table
from workbench.data.base import DataError, Source
from workbench.format import UNKNOWN, percent, toml
from workbench.recipe.errors import InputError
from workbench.recipe.parameters import Parameter, parameters
from workbench.recipe.registries import CHECKS, MODELS, SOURCES, TECHNIQUES
from workbench.recipe.specs import Registry, Spec

Describe = Callable[[type[Any]], dict[str, Any]]

WHEN = ("before", "during", "after")

data_app = typer.Typer(invoke_without_command=True, rich_markup_mode="rich")


def techniques(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A technique to read about.", autocompletion=options.complete_technique),
    ] = None,
    as_json: options.Json = False,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """List the techniques, or show one's card: what it does, where it is from, its price and its parameters.

    \b
    Examples:
      workbench techniques
      workbench techniques label_smoothing
      workbench techniques --json | jq '.[] | select(.group == "optimizer") | .name'
    """
    settings_of(context, plugin=plugin, debug=debug)
    if name is not None or as_json:
        _say_specs(TECHNIQUES, name, as_json, _technique)
        return
    from workbench.techniques.base import GROUPS

    rows = [(spec.group, spec.name, spec.summary()) for spec in TECHNIQUES]
    rows.sort(key=lambda row: (GROUPS.index(row[0]) if row[0] in GROUPS else len(GROUPS), row[1]))
    say_table(("group", "name", "about"), rows, wrap="about")


def models(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A model to read about.", autocompletion=options.complete_model),
    ] = None,
    as_json: options.Json = False,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """List the models, or show one's card and its parameters.

    \b
    Examples:
      workbench models
      workbench models resnet
    """
    settings_of(context, plugin=plugin, debug=debug)
    if name is not None or as_json:
        _say_specs(MODELS, name, as_json, _model)
        return
    say_table(("name", "about"), [(spec.name, spec.summary()) for spec in MODELS], wrap="about")


def checks(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A check to read about.", autocompletion=options.complete_check),
    ] = None,
    as_json: options.Json = False,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """List the checks, or show one's card and its thresholds, which a recipe sets in a table checks.NAME.

    \b
    Examples:
      workbench checks
      workbench checks loss_spikes
      workbench run v2 --set checks.loss_spikes.factor=3 --set checks.fit=off
    """
    settings_of(context, plugin=plugin, debug=debug)
    if name is not None or as_json:
        # Where a check speaks, it goes by its title.
        _say_specs(CHECKS, next((spec.name for spec in CHECKS if spec.title == name), name), as_json, _check)
        return
    specs = sorted(CHECKS, key=lambda spec: (WHEN.index(spec.when), spec.rank, spec.name))
    rows = [(s.when, s.name, "" if s.asked_for() else "on", f"{s.title}: {s.summary()}") for s in specs]
    say_table(("when", "name", "always", "about"), rows, wrap="about")


@data_app.callback()
def data(
    context: typer.Context,
    as_json: options.Json = False,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """List the data sources, or fetch one.

    \b
    Examples:
      workbench data
      workbench data get cifar10
    """
    settings = settings_of(context, data_root=data_root, plugin=plugin, debug=debug)
    if context.invoked_subcommand is not None:
        return
    if as_json:
        _say_specs(SOURCES, None, True, _spec)
        return
    say_table(("name", "about"), [(spec.name, spec.summary()) for spec in SOURCES], wrap="about")
    if on_terminal():
        say()
        say(f"data sets lie in {settings.data_root}")


@data_app.command("get")
def get(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The data source to fetch.", autocompletion=options.complete_source)
    ],
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Download a data set into the data folder and check it; what is there already is not fetched again.

    \b
    Examples:
      workbench data get cifar10
      workbench data get cifar10 --data-root /data
    """
    settings = settings_of(context, data_root=data_root, plugin=plugin, debug=debug)
    if source not in SOURCES:
        raise InputError(SOURCES.unknown(source))
    spec = SOURCES[source]
    if spec.get is Source.get:
        raise DataError(f"data source '{source}' is not one that can be downloaded; workbench data lists what there is")
    try:
        chosen = spec()
    except ValidationError:
        needed = ", ".join(name for name, p in parameters(spec).items() if p.required)
        raise InputError(f"data source '{source}' needs parameters ({needed}); fetch its files yourself") from None
    say(f"{source}: {fetch(chosen, settings.data_root)}")


def fetch(source: Source, root: Path) -> Path:
    """Fetch a data set into a folder with progress on stderr: a bar on a terminal, elsewhere a line now and then."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = VisibleConsole(stderr=True)
    if not console.is_terminal:
        return source.get(root, _Lines())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{source.name}", total=1.0)
        return source.get(root, lambda text, share: progress.update(task, description=text, completed=share))


class _Lines:
    def __init__(self) -> None:
        self._text = ""
        self._when = 0.0

    def __call__(self, text: str, share: float) -> None:
        now = time.monotonic()
        if text != self._text or now - self._when >= 10 or (share >= 1 and self._when):
            complain(f"{text}: {percent(share, 0)}")
            self._text, self._when = text, now if share < 1 else 0.0


def _say_specs(registry: Registry[Any], name: str | None, as_json: bool, describe: Describe) -> None:
    if name is not None and name not in registry:
        raise InputError(registry.unknown(name))
    specs = list(registry) if name is None else [registry[name]]
    if as_json:
        described = [describe(spec) for spec in specs]
        say_json(described if name is None else described[0])
        return
    for spec in specs:
        _say_spec(spec, describe(spec))


def _say_spec(spec: type[Spec], described: dict[str, Any]) -> None:
    say(spec.name)
    say()
    say(described["about"])
    say()
    texts = [(key, described[key]) for key in ("title", "when", "group", "source", "tradeoff") if described.get(key)]
    texts += [("needs", f"{need['what']}: {need['why']}") for need in described.get("needs", ())]
    texts += [("excludes", f"{other}: {why}") for other, why in described.get("excludes", {}).items()]
    if described.get("capabilities"):
        texts.append(("capable of", ", ".join(described["capabilities"])))
    say_pairs(texts)
    rows = [_parameter_row(p) for p in parameters(spec).values() if p.name != "enabled"]
    if rows:
        say()
        say_table(("parameter", "default", "expected", "unit", "meaning"), rows, wrap="meaning")


def _parameter_row(parameter: Parameter) -> tuple[str, str, str, str, str]:
    if parameter.required:
        default = "required"
    else:
        default = UNKNOWN if parameter.default is None else toml(parameter.default)
    return parameter.name, default, parameter.expected, parameter.unit, parameter.description


def _spec(spec: type[Spec]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary(),
        "about": spec.about(),
        "source": spec.source,
        "parameters": [
            {
                "name": p.name,
                "kind": p.kind,
                "default": p.default,
                "required": p.required,
                "bounds": p.bounds,
                "choices": p.choices,
                "unit": p.unit,
                "description": p.description,
            }
            for p in parameters(spec).values()
            if p.name != "enabled"
        ],
    }


def _technique(spec: type[Any]) -> dict[str, Any]:
    needs = [{"what": need.technique or f"a model with {need.capability}", "why": need.why} for need in spec.needs]
    return _spec(spec) | {"group": spec.group, "tradeoff": spec.tradeoff, "needs": needs, "excludes": spec.excludes}


def _check(spec: type[Any]) -> dict[str, Any]:
    return _spec(spec) | {"when": spec.when, "title": spec.title, "asked_for": spec.asked_for()}


def _model(spec: type[Any]) -> dict[str, Any]:
    return _spec(spec) | {"capabilities": sorted(spec.capabilities)}
