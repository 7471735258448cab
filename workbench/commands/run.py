"""``workbench run``: train a recipe, go on with a run, or train one that is over on, as a new one."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from workbench.commands import options
from workbench.commands.errors import FAILED
from workbench.commands.options import Settings, settings_of
from workbench.commands.output import complain, on_terminal, say, say_json, say_table
from workbench.commands.queue import enqueue
from workbench.commands.training import leave_running, name_to_type, train_here
from workbench.devices import DeviceError, busy, choose, list_gpus, refusal
from workbench.events import Failed
from workbench.recipe import RecipeError, read_recipe_file
from workbench.recipe.errors import InputError, Problem
from workbench.runs.errors import RunError
from workbench.runs.extend import SCHEDULES, Plan, begin, plan
from workbench.runs.find.listing import find_run
from workbench.runs.find.resolve import resolve_recipe
from workbench.runs.store.checkpoints import fall_back
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.environment import note_resume
from workbench.runs.store.history import read_history
from workbench.runs.store.status import summary


def run(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE", help="A recipe's name or file, or a run.", autocompletion=options.complete_recipe
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a run.", autocompletion=options.complete_run),
    ] = None,
    fallback: Annotated[
        str,
        typer.Option("--from", metavar="CHECKPOINT", help="With --resume: go on from this one instead, such as best."),
    ] = "last",
    changes: options.Overrides = None,
    seed: options.Seed = None,
    epochs: options.Epochs = None,
    schedule: Annotated[
        str,
        typer.Option("--schedule", help="With --resume and --epochs, how the rate goes on: planned, hold or rewarm."),
    ] = "planned",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --resume and --epochs: show the rates, start nothing.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Train in the background, free of this terminal.")] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Train in the background, when the device is free of earlier runs.")
    ] = False,
    checks: Annotated[
        bool, typer.Option("--checks/--no-checks", help="Check before, during and after the training.")
    ] = True,
    phases: Annotated[
        bool, typer.Option("--profile", help="Measure the phases of its steps all the while; see profile/phases.json.")
    ] = False,
    smaller: Annotated[
        bool,
        typer.Option("--smaller", help="Out of memory: train anew with half the batch, and so on until it fits."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only how it ended.")] = False,
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Train a recipe, or go on with a run.

    Ctrl-C finishes the step, saves a checkpoint and leaves; the run can go on later. A second Ctrl-C leaves at once.

    \b
    Exit codes:
      0 finished or stopped, 1 failed or diverged, 2 wrong input, 130 left at once

    \b
    Examples:
      workbench run digits
      workbench run v2 --set techniques.sgd.learning_rate=0.05 --epochs 2
      workbench run resnet20 --device cuda:1 --detach
      workbench run v2 --seed 1 --queue
      workbench run resnet20 --smaller
      workbench run --resume last
      workbench run --resume last --epochs 20 --schedule rewarm
      workbench run v1 --json | jq 'select(.kind == "evaluated")'
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    asked = options.overrides(changes, seed, epochs)
    if queue and detach:
        raise InputError("--detach begins at once, --queue when the device is free; give one of them")
    background = detach or queue
    if smaller and background:
        raise InputError("--smaller is for a run in this terminal")
    if phases and background:
        raise InputError("--profile is for a run in this terminal; the Profile screen asks one in the background")
    trains_on = resume is not None and epochs is not None
    if (dry_run or schedule != "planned") and not trains_on:
        raise InputError("--schedule and --dry-run are for a run that is trained on: --resume RUN --epochs …")
    if resume is not None and epochs is not None:
        if recipe is not None or changes or seed is not None:
            raise InputError(
                "a run that is trained on keeps its recipe but for the epochs; "
                f"start a new run with: workbench run {resume} --set …"
            )
        if fallback != "last":
            raise InputError("a run is trained on from its last checkpoint; --from is for --resume without --epochs")
        wanted_run = _longer(settings, resume, epochs, schedule)
        if dry_run and as_json:
            _plan_as_json(wanted_run)
        elif dry_run or not (as_json or quiet or (background and not on_terminal())):
            _show_plan(wanted_run)
        if dry_run:
            return
        chosen = _handed_on(settings.device) if background else _choose(settings.device)
        directory = begin(wanted_run, settings.runs)
    elif resume is not None:
        if recipe is not None or asked:
            raise InputError(f"a run's recipe stays as it is; start a new run with: workbench run {resume} --set …")
        directory = _resumable(settings, resume)
        fall_back(directory, fallback)
        chosen = _handed_on(settings.device) if background else _choose(settings.device)
        if directory.started() and not background:  # the process that goes on with it notes it
            note_resume(directory.env_file)
    else:
        if fallback != "last":
            raise InputError("--from chooses a checkpoint of the run that goes on; give --resume RUN too")
        if recipe is None:
            raise InputError("which recipe? workbench recipes lists them; a run goes on with --resume RUN")
        wanted = read_recipe_file(resolve_recipe(recipe, settings.runs, complain), asked, say=complain)
        chosen = _handed_on(settings.device) if background else _choose(settings.device)
        directory = create_run(settings.runs, wanted)
    if queue:
        enqueue(directory, settings, name_to_type(directory, settings), as_json, checks=checks)
    elif detach:
        leave_running(directory, settings, chosen, as_json, checks=checks)
    else:
        state = train_here(directory, settings, chosen, as_json=as_json, quiet=quiet, checks=checks, phases=phases)
        while smaller and state == "failed" and (change := _instead(directory)):
            directory = create_run(settings.runs, read_recipe_file(directory.recipe_file, (change,)))
            complain(f"once more with {change}, as {directory.name}")
            state = train_here(directory, settings, chosen, as_json=as_json, quiet=quiet, checks=checks, phases=phases)
        if state not in ("finished", "stopped"):
            raise typer.Exit(FAILED)


def _instead(directory: RunDirectory) -> str:
    """What to change in the recipe of a run that failed for want of memory; "" for any other failure."""
    ended = read_history(directory).ended
    gc.collect()  # what the run held on the device
    return ended.instead if isinstance(ended, Failed) else ""


def _resumable(settings: Settings, text: str) -> RunDirectory:
    """The run that is to go on. Raises RunNotFound, RunError if it cannot, RecipeError if its recipe cannot be read."""
    directory = find_run(settings.runs, text, complain)
    found = summary(directory)
    if found.live and found.state != "queued":  # a queued one is this very process, started by --detach
        raise RunError(f"run '{directory.name}' is at work already; follow it with: workbench watch {directory.name}")
    if found.state == "finished":
        raise InputError(
            f"run '{directory.name}' is finished; train on with: workbench run --resume {directory.name} --epochs …"
        )
    try:
        directory.recipe()
    except RecipeError as error:
        if not directory.plugins.is_dir():
            raise
        kept = Problem("", f"the sources that the run was started with are in {directory.plugins}")
        raise RecipeError([*error.problems, kept]) from None
    return directory


def _choose(option: str) -> str:
    """The device to train on; says so if others use it."""
    seen = list_gpus()
    device = choose(option)
    if warning := busy(device, seen):
        complain(f"warning: {warning}")
    return device


def _handed_on(option: str) -> str:
    """The device option of a run that another process trains. Raises DeviceError where it is sure to refuse."""
    if reason := refusal(option):
        raise DeviceError(reason)
    return option


def _longer(settings: Settings, text: str, epochs: float, schedule: str) -> Plan:
    """A run that is over, trained on to ``epochs``. Raises InputError, RunNotFound, or RunError if it cannot."""
    if schedule not in SCHEDULES:
        raise InputError(f"--schedule {schedule}: there are {', '.join(SCHEDULES)}")
    return plan(find_run(settings.runs, text, complain), epochs, schedule)


def _show_plan(wanted: Plan) -> None:
    """The learning rate over the epochs under each way to go on, and what is to be known."""
    heading, *rows = wanted.table()
    say(wanted.title)
    say_table(heading, rows)
    for sentence in wanted.sentences():
        say(sentence)


def _plan_as_json(wanted: Plan) -> None:
    """The same for a program; rates are shares of the recipe's where that is not known."""
    steps = wanted.sampled_steps(100)
    say_json(
        {
            "continues": wanted.parent.name,
            "epochs": wanted.recipe.train.epochs,
            "schedule": wanted.how.schedule,
            "known_rate": bool(wanted.how.rate),
            "epoch": [step / wanted.how.steps_per_epoch for step in steps],
            "learning_rate": {name: wanted.rates(name, steps) for name in SCHEDULES},
            "notes": wanted.sentences(),
        }
    )
