"""``workbench check``: build a recipe and check it without training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from workbench.commands import options
from workbench.commands.errors import CHECK_FAILED
from workbench.commands.options import settings_of
from workbench.commands.output import ascii_only, complain, say, say_json, say_pairs
from workbench.commands.reporter import check_line
from workbench.devices import choose
from workbench.events import CheckFinished
from workbench.format import figure
from workbench.recipe import Recipe, read_recipe_file
from workbench.recipe.errors import InputError
from workbench.recipe.registries import CHECKS
from workbench.runs.find.resolve import resolve_recipe
from workbench.tui.charts.drawing import Axis, Layer, draw, log_axis, logarithm, nice_ticks, span_axis
from workbench.tui.charts.engine import plain, sign_of

WIDTH, HEIGHT = 72, 15


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
    wanted = read_recipe_file(
        resolve_recipe(recipe, settings.runs, complain), options.overrides(changes, seed), say=complain
    )
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
        say(check_line(CheckFinished(**found), ids=True))
    figures = report.get("figures", {})
    charts = []
    if learned := figures.get("overfit_batch"):
        charts.append(overfit_chart(learned["losses"], learned["goal"]))
    if tested := figures.get("learning_rate_range"):
        charts.append(range_chart(tested["points"], tested["suggestion"]))
    for chart in charts:
        say("\n".join(["", *chart]))


def overfit_chart(losses: Sequence[float], goal: float) -> list[str]:
    """Lines that show the loss (nats) on one batch over the steps, on a logarithmic scale down to the goal.

    losses: before each step; one that is not finite is a gap, and of those without a step between them is no chart.
    """
    if len(losses) < 2:
        return ["the goal was reached before the first step"]
    known = [(float(step), loss) for step, loss in enumerate(losses)]
    if not any(math.isfinite(loss) for loss in losses):
        return ["the loss was never finite"]
    last = len(losses) - 1
    ticks = [step for step in nice_ticks(0, last, WIDTH // 12) if step == int(step)]
    x = Axis(0.0, last, [(step, f"{step:,.0f}") for step in ticks], "steps")
    y = log_axis([*losses, goal], HEIGHT)
    aim = Layer(logarithm((last * cell / WIDTH, goal) for cell in range(WIDTH + 1)), 7, mark="─")
    ascii = ascii_only()
    lines = plain(draw([aim, Layer(logarithm(known), 7)], x, y, WIDTH, HEIGHT, 7, ascii=ascii)).split("\n")
    return [*lines, f"{sign_of('─', ascii)} the goal, a loss of {goal:g}"]


def range_chart(points: Sequence[tuple[float, float]], suggestion: float | None) -> list[str]:
    """Lines that show the loss (nats) over the learning rate, which is logarithmic; a suggestion is marked.

    points: learning rate and loss; a loss that is not finite is left out.
    """
    known = [(math.log10(rate), loss) for rate, loss in points if math.isfinite(loss)]
    if len(known) < 2:
        return ["the loss was never finite"]
    scale = log_axis([10**rate for rate, _ in known], 3)
    x = Axis(known[0][0], known[-1][0], scale.ticks, "learning rate")
    y = span_axis([loss for _, loss in known], HEIGHT)
    ascii = ascii_only()
    cursor = None if suggestion is None else math.log10(suggestion)
    lines = plain(draw([Layer(known, 7)], x, y, WIDTH, HEIGHT, 7, cursor=cursor, ascii=ascii)).split("\n")
    sign = sign_of("┊", ascii)
    lines.append("the loss falls nowhere" if suggestion is None else f"{sign} try {suggestion:.2g}")
    return lines
