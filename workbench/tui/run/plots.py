"""What each chart of a run shows: the most important first. No widget, and nothing of Textual."""

from __future__ import annotations

import math
from array import array

from workbench.devices import GIB
from workbench.format import percent
from workbench.tui.charts.columns import Curve, numbers
from workbench.tui.charts.drawing import Writer
from workbench.tui.charts.plot import Plot, Series
from workbench.tui.charts.viewport import Progress, short
from workbench.tui.common.words import number, significant, throughput
from workbench.tui.run.view import RunView

MARKS = {"validation": "▲", "test": "◆"}


def progress_of(view: RunView, plot: Plot | None = None) -> Progress:
    """What the axes need to know of a run, those of a plot or of most."""
    newest = max([view.step, *(found[-1].step for found in view.evaluated.values() if found)])
    return Progress(
        view.steps_seen,
        view.seconds,
        max(1, view.steps),
        view.steps_per_epoch,
        newest,
        plot is not None and plot.to_the_end,
    )


def plots(view: RunView, smoothing: int, pinned: RunView | None = None) -> list[Plot]:
    """All charts of a run, the most important first. The last two tell of the GPU, or of the process on a CPU run.

    pinned: a run whose loss and accuracy stand behind, epoch by epoch.
    """
    loss, accuracy = (
        (*_behind(view, pinned, what, smoothing), *_learning(view, getattr(view, what), what, smoothing))
        for what in ("loss", "accuracy")
    )
    return [
        Plot("Loss", loss, number, _digits(5), short, "follow", positive=True),
        Plot("Accuracy", accuracy, _share(1), _share(2), _share(0), "share"),
        _learning_rate(view),
        Plot("Throughput", (_line(view.throughput, "", "smooth"),), throughput, throughput, short),
        *_machine(view),
    ]


def _behind(view: RunView, pinned: RunView | None, what: str, smoothing: int) -> tuple[Series, ...]:
    """The pinned run's smoothed curve, at the steps that its epochs have in this run."""
    curve: Curve | None = getattr(pinned, what, None)
    if pinned is None or curve is None or not math.isfinite(curve.latest()):
        return ()
    steps = array("d", (numbers(curve.steps) * (view.steps_per_epoch / pinned.steps_per_epoch)).tobytes())
    return (Series("pinned", steps, curve.smoothed(smoothing), "frame", told="cursor"),)


def _learning(view: RunView, curve: Curve, what: str, smoothing: int) -> tuple[Series, ...]:
    """Training, raw and smoothed, and the evaluations."""
    found = []
    if any(map(math.isfinite, curve.values[-1:])) or math.isfinite(curve.latest()):  # not where targets are mixed
        found.append(Series("raw", curve.steps, curve.values, "raw", "faint"))
        found.append(Series("train", curve.steps, curve.smoothed(smoothing), "smooth"))
    for split, sign in MARKS.items():
        events = view.evaluated.get(split, [])
        if events:
            steps, values = array("d", (e.step for e in events)), array("d", (getattr(e, what) for e in events))
            found.append(Series(split, steps, values, split, "marks", sign))
    return tuple(found)


def _learning_rate(view: RunView) -> Plot:
    """What it was, and while the run goes on, what the recipe plans to its end and a mark for now."""

    def plot(*series: Series, to_the_end: bool = False) -> Plot:
        words = significant, _significant(6), short
        return Plot("Learning rate", series, *words, positive=True, to_the_end=to_the_end)

    curve = view.learning_rate
    went = Series("rate", curve.steps, curve.values, "smooth")
    plan = view.started.learning_rates if view.started is not None and not view.ended else ()
    if not plan:
        return plot(went)
    steps, rates = (array("d", column) for column in zip(*plan, strict=True))
    now = len(curve.values) - 1 if len(curve.values) else 0
    return plot(
        Series("planned", steps, rates, "raw", told="cursor"),
        went,
        Series("now", curve.steps[now:], curve.values[now:], "smooth", "marks", "●", told="none"),
        to_the_end=True,
    )


def _line(curve: Curve, name: str, colour: str = "smooth") -> Series:
    return Series(name, curve.steps, curve.values, colour, "faint")


def _machine(view: RunView) -> list[Plot]:
    machine = view.machine
    steps = machine.steps(view.times, view.steps_seen, view.begun_at)

    def series(name: str, label: str, scale: float = 1.0) -> tuple[Series, ...]:
        values = array("d", (numbers(machine.figures[name]) * scale).tobytes())
        return (Series(label, steps, values, "validation", "faint"),)

    if "gpu" in machine.known:
        total = f"of {machine.gpu_memory_total / GIB:.0f} GiB"
        return [
            Plot("GPU memory", series("gpu_memory", "", 1 / GIB), _digits(1, total), _digits(3, total), short),
            Plot("GPU use", series("gpu", "busy"), _share(0), _share(0), _share(0), "share"),
        ]
    return [
        Plot("CPU", series("cpu", ""), _share(0, "of a core"), _share(0, "of a core"), _share(0)),
        Plot("Memory", series("memory", "", 1 / GIB), _digits(2, "GiB"), _digits(3, "GiB"), short),
    ]


def _digits(places: int, unit: str = "") -> Writer:
    return lambda value: f"{number(value, places)} {unit}".rstrip()


def _share(places: int, of: str = "") -> Writer:
    return lambda value: f"{percent(value, places)} {of}".rstrip()


def _significant(digits: int) -> Writer:
    return lambda value: f"{value:.{digits}g}" if math.isfinite(value) else "–"
