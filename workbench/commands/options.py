"""Options that several commands share. They may stand before the command or after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from workbench import paths
from workbench.devices import parse
from workbench.recipe import Recipe
from workbench.recipe.plugins import load_plugin, load_plugins
from workbench.recipe.registries import CHECKS, MODELS, SOURCES, TECHNIQUES
from workbench.runs.store.directory import RunDirectory
from workbench.settings import SettingsError, UserSettings, read_settings
from workbench.visible import visible


@dataclass
class Settings:
    """The shared options of one call, over the user's settings."""

    user: UserSettings
    runs_option: Path | None = None
    data_option: Path | None = None
    device: str = "auto"
    plugins: list[Path] = field(default_factory=list)
    debug: bool = False

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return paths.runs_root(self.runs_option, self.user.defaults.runs)

    @property
    def data_root(self) -> Path:
        """The folder of data sets."""
        return paths.data_root(self.data_option, self.user.defaults.data_root)


def settings_of(
    context: typer.Context,
    *,
    runs: Path | None = None,
    data_root: Path | None = None,
    device: str | None = None,
    plugin: Sequence[Path] | None = None,
    debug: bool = False,
) -> Settings:
    """The settings from before the command, overridden by those after it; loads plugins that are not loaded yet.

    Raises SettingsError if the user's file cannot be used.
    """
    root = context.find_root()
    if not isinstance(root.obj, Settings):
        root.obj = _of_the_user()
    settings: Settings = root.obj
    settings.runs_option = runs or settings.runs_option
    settings.data_option = data_root or settings.data_option
    settings.device = parse(device) if device else settings.device
    settings.debug = debug or settings.debug
    for path in plugin or ():
        load_plugin(path)
        settings.plugins.append(path)
    return settings


def _of_the_user() -> Settings:
    try:
        user = read_settings()
    except SettingsError:  # something is wrong: say all that is, also what this command would not need
        from workbench.tui.app.opening import read_user

        user = read_user()
    return Settings(user, device=parse(user.defaults.device), plugins=load_plugins(user.defaults.plugins))


def open_screens(
    settings: Settings,
    *,
    recipe: Recipe | None = None,
    recipe_path: Path | None = None,
    watch: RunDirectory | None = None,
) -> None:
    """Open the screens with these settings."""
    from workbench.tui.app import opening

    opening.open_screens(
        settings.user, settings.runs, settings.data_root, settings.device, settings.plugins,
        recipe=recipe, recipe_path=recipe_path, watch=watch,
    )  # fmt: skip


def complete_recipe(incomplete: str) -> list[str]:
    """Names of recipes and runs that begin with what was typed."""
    return _beginning((*paths.known_recipes(), *_run_names()), incomplete)


def complete_run(incomplete: str) -> list[str]:
    """Names of runs that begin with what was typed."""
    return _beginning((*_run_names(), "last"), incomplete)


def complete_technique(incomplete: str) -> list[str]:
    """Names of techniques that begin with what was typed."""
    return _beginning(TECHNIQUES.names(), incomplete)


def complete_check(incomplete: str) -> list[str]:
    """Names of checks that begin with what was typed."""
    return _beginning(CHECKS.names(), incomplete)


def complete_model(incomplete: str) -> list[str]:
    """Names of models that begin with what was typed."""
    return _beginning(MODELS.names(), incomplete)


def complete_source(incomplete: str) -> list[str]:
    """Names of data sources that begin with what was typed."""
    return _beginning(SOURCES.names(), incomplete)


def complete_device(incomplete: str) -> list[str]:
    """Devices that begin with what was typed."""
    from workbench.devices import list_gpus

    return _beginning(("auto", "cpu", *(f"cuda:{gpu.index}" for gpu in list_gpus())), incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    """The names that begin with what was typed, without those that a terminal would obey: a shell prints them as is."""
    return [name for name in names if name.startswith(incomplete) and name == visible(name, keep="")]


def _run_names() -> list[str]:
    from workbench.runs.find.listing import look_into

    return sorted(look_into(paths.runs_root()).names, reverse=True)


SHARED = "Shared options, before or after a command"

Runs = Annotated[
    Path | None,
    typer.Option(
        "--runs", metavar="FOLDER", help="Where runs are; else WORKBENCH_RUNS, else ./runs.", rich_help_panel=SHARED
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="FOLDER",
        help="Where data sets are; else WORKBENCH_DATA, else a cache folder.",
        rich_help_panel=SHARED,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="auto (the GPU with the most free memory, else the CPU), cpu, or cuda:N.",
        autocompletion=complete_device,
        rich_help_panel=SHARED,
    ),
]
PluginFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Load techniques, models, data sources and checks from a Python file; repeatable.",
        rich_help_panel=SHARED,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=SHARED)]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a value of the recipe for this call; repeatable."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="The same as --set seed=…")]
Epochs = Annotated[float | None, typer.Option("--epochs", help="The same as --set train.epochs=…")]
RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe's name or file, or a run.", autocompletion=complete_recipe)
]
RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run's name, a part of it, its folder, or last.", autocompletion=complete_run),
]


def overrides(given: Sequence[str] | None, seed: int | None = None, epochs: float | None = None) -> list[str]:
    """All changes to a recipe as ``section.key=value``; the short options win."""
    changes = list(given or ())
    if seed is not None:
        changes.append(f"seed={seed}")
    if epochs is not None:
        changes.append(f"train.epochs={epochs}")
    return changes
