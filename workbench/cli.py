"""The command line's entry point: its commands, what an error looks like, and the screens where no command is given."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from workbench import __version__, first_frame
from workbench.commands import (
    bench,
    check,
    doctor,
    manage,
    options,
    profile,
    queue,
    recipes,
    run,
    runs,
    screens,
    show,
    specs,
    watch,
)
from workbench.commands.errors import INTERRUPTED, report
from workbench.commands.options import Settings, settings_of
from workbench.commands.output import complain, say
from workbench.printing import write
from workbench.recipe import read_recipe_file
from workbench.recipe.errors import InputError
from workbench.runs.find.resolve import resolve_recipe

app = typer.Typer(
    name="workbench",
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
)

TRAIN, LOOK_UP, LOOK_AFTER, KEEP = "Train", "Look up", "Look after runs", "Keep order among runs"

app.command("run", rich_help_panel=TRAIN)(run.run)
app.command("check", rich_help_panel=TRAIN)(check.check)
app.command("profile", rich_help_panel=TRAIN)(profile.profile_command)
app.command("bench", rich_help_panel=TRAIN)(bench.bench)
app.command("doctor", rich_help_panel=LOOK_UP)(doctor.doctor)
app.command("recipes", rich_help_panel=LOOK_UP)(recipes.recipes)
app.command("techniques", rich_help_panel=LOOK_UP)(specs.techniques)
app.command("models", rich_help_panel=LOOK_UP)(specs.models)
app.command("checks", rich_help_panel=LOOK_UP)(specs.checks)
app.add_typer(specs.data_app, name="data", rich_help_panel=LOOK_UP)
app.command("diff", rich_help_panel=LOOK_UP)(recipes.diff)
app.command("keys", rich_help_panel=LOOK_UP)(screens.keys_command)
app.command("settings", rich_help_panel=LOOK_UP)(screens.settings_command)
app.command("runs", rich_help_panel=LOOK_AFTER)(runs.runs_command)
app.command("queue", rich_help_panel=LOOK_AFTER)(queue.queue_command)
app.command("show", rich_help_panel=LOOK_AFTER)(show.show)
app.command("watch", rich_help_panel=LOOK_AFTER)(watch.watch)
app.command("stop", rich_help_panel=LOOK_AFTER)(watch.stop)
app.command("pause", rich_help_panel=LOOK_AFTER)(watch.pause)
app.command("continue", rich_help_panel=LOOK_AFTER)(watch.go_on)
app.command("checkpoint", rich_help_panel=LOOK_AFTER)(watch.checkpoint)
app.command("compare", rich_help_panel=KEEP)(manage.compare_command)
app.command("tag", rich_help_panel=KEEP)(manage.tag)
app.command("note", rich_help_panel=KEEP)(manage.note)
app.command("delete", rich_help_panel=KEEP)(manage.delete)


def _version(asked: bool) -> None:
    if asked:
        say(f"workbench {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def workbench(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="RECIPE",
            help="Open the screens on this recipe.",
            autocompletion=options.complete_recipe,
        ),
    ] = None,
    device: options.Device = None,
    runs_folder: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Assemble image-classification training recipes from techniques, check them, train them and watch.

    Without a command the screens open.

    \b
    Examples:
      workbench                         open the screens where they were left
      workbench --recipe v2             open them on a recipe
      workbench recipes                 what can be run by name
      workbench run digits              train in this terminal
      workbench run v2 --detach         train in the background
      workbench run v2 --queue          the same, when the device is free
      workbench watch                   see how the newest run is doing
    """
    settings = settings_of(context, runs=runs_folder, data_root=data_root, device=device, plugin=plugin, debug=debug)
    if context.invoked_subcommand is None:
        _open_screens(settings, recipe)
    elif recipe is not None:
        raise InputError("--recipe opens the screens; a command takes its recipe as an argument")


def _open_screens(settings: Settings, name: str | None) -> None:
    from workbench.tui.app.opening import need_terminal

    need_terminal()
    path = None if name is None else resolve_recipe(name, settings.runs, complain)
    recipe = None if path is None else read_recipe_file(path, consistent=False, say=complain)
    options.open_screens(settings, recipe=recipe, recipe_path=path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, this process's own if none is given, and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name="workbench", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough; nothing more can be said, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if "--debug" in arguments:
            first_frame.remove()
            write(sys.stderr, traceback.format_exc(), end="")
        return report(error)
    return code if isinstance(code, int) else 0
