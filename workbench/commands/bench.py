"""``workbench bench``: the speed of a recipe's steps, or its time to an accuracy."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.commands import options
from workbench.commands.errors import CHECK_FAILED
from workbench.commands.options import settings_of
from workbench.commands.output import complain, say, say_json, say_table
from workbench.devices import choose
from workbench.format import percent
from workbench.recipe import Recipe, read_recipe_file
from workbench.recipe.errors import InputError
from workbench.runs.find.resolve import resolve_recipe

if TYPE_CHECKING:
    from workbench.profiling.bench import Bench
    from workbench.profiling.time_to import TimeTo

MODES = ("off", "graph", "default", "max")
PIPELINES = ("device", "loader")


def bench(
    context: typer.Context,
    recipe: options.RecipeArgument,
    changes: options.Overrides = None,
    to: Annotated[
        float | None, typer.Option("--to", metavar="PERCENT", help="Time whole runs to this test accuracy instead.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="With --to: runs, with the seeds from seed on.")] = 3,
    mode: Annotated[
        list[str] | None, typer.Option("--mode", help="off, graph, default or max; repeatable. Else all that can be.")
    ] = None,
    pipeline: Annotated[
        list[str] | None, typer.Option("--pipeline", help="device or loader; repeatable. Else both.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.5, help="Time for each mode and pipeline.")] = 5.0,
    as_json: options.Json = False,
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """How fast a recipe trains in each mode of execution, against what the machine could do.

    With --to: the mean training time of several seeds and whether their mean accuracy reaches the target. Timed as in
    the CIFAR-10 speed records: warm-up, one-time building and the last evaluation are not counted, all else is.

    \b
    Exit codes:
      0 measured, 1 it cannot be built, 2 wrong input, 3 the mean accuracy is below --to

    \b
    Examples:
      workbench bench resnet20
      workbench bench resnet20 --mode off --pipeline device --json
      workbench bench fast94 --to 94 --seeds 10
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    wanted = read_recipe_file(resolve_recipe(recipe, settings.runs, complain), options.overrides(changes), say=complain)
    if to is not None and not 0 < to <= 100:
        raise InputError(f"--to {to:g}: expected a test accuracy in percent, above 0 and at most 100")
    modes = _chosen("--mode", mode, MODES)
    pipelines = _chosen("--pipeline", pipeline, PIPELINES)
    chosen = choose(settings.device)
    if to is not None:
        _time_to(to / 100, wanted, chosen, settings, seeds, as_json)
        return
    if mode is None and not chosen.startswith("cuda"):
        modes = ("off", "default")

    from workbench.profiling.bench import Bench, bench

    for found in bench(wanted, chosen, settings.data_root, seconds, modes, pipelines):
        if not isinstance(found, Bench):
            _progress(f"{percent(found.share, 0):>5}  {found.message}")
        elif as_json:
            say_json(asdict(found))
        else:
            _say_bench(found)


def _chosen(option: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    for name in given or ():
        if name not in known:
            raise InputError(f"{option} {name}: expected {' or '.join(known)}")
    return tuple(given or known)


def _progress(text: str) -> None:
    """A line that tells a waiting person what goes on; in a pipe nobody waits."""
    if sys.stderr.isatty():
        complain(text)


def _say_bench(found: Bench) -> None:
    threads = f", threads {found.threads}" if found.device == "cpu" else ""
    say(f"{found.recipe} on {found.device}{threads}, batches of {found.batch_size}")
    rows = []
    for variant in found.variants:
        spread = f"{variant.rate.low:,.0f}–{variant.rate.high:,.0f}"
        share = "" if variant.floor_share is None else percent(variant.floor_share, 0)
        throughput, step = f"{variant.rate.images_per_second:,.0f}", f"{variant.milliseconds:.2f}"
        rows.append([variant.compile, variant.pipeline, throughput, spread, step, share])
    say_table(["compile", "pipeline", "images/s", "lowest–highest", "ms/step", "floor/step"], rows)
    if found.floor is not None:
        floor = found.floor
        say(
            f"floor: {1000 * floor.seconds:.2f} ms a step: {floor.operations / 1e9:.1f} GFLOP at "
            f"{floor.matrix_rate / 1e12:.2f} TFLOP/s, {floor.bytes / 1e9:.3f} GB at {floor.copy_rate / 1e9:.0f} GB/s"
        )
    for note in found.notes:
        say(note)
    for variant in found.variants:
        for note in variant.notes:
            say(f"{variant.compile}, {variant.pipeline}: {note}")


def _time_to(target: float, recipe: Recipe, device: str, settings: options.Settings, seeds: int, as_json: bool) -> None:
    from workbench.profiling.time_to import TimeTo, time_to

    for found in time_to(target, recipe, device, settings.data_root, seeds):
        if not isinstance(found, TimeTo):
            if not as_json:
                say(f"seed {found.seed}: {percent(found.accuracy)} after {found.seconds:.2f} s")
            continue
        if as_json:
            figures = {"accuracy": found.accuracy, "deviation": found.deviation, "seconds": found.seconds}
            say_json({"recipe": recipe.name, "device": device, **asdict(found), **figures, "reached": found.reached})
        else:
            _say_time(found)
        if not found.reached:
            raise typer.Exit(CHECK_FAILED)


def _say_time(found: TimeTo) -> None:
    verdict = "reached" if found.reached else "not reached"
    for note in found.notes:
        say(note)
    mean = f"{percent(found.accuracy)} ± {percent(found.deviation)} in {found.seconds:.2f} s"
    of = f"mean of {len(found.runs)} seeds, standard error {percent(found.error)}"
    say(f"{mean} ({of}): {percent(found.target)} {verdict}")
