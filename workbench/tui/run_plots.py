"""The charts of a run: loss, accuracy, learning rate, throughput, and what the machine does meanwhile."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

from workbench.devices import GIB
from workbench.tui.charts import Writer
from workbench.tui.columns import Curve, numbers
from workbench.tui.plot import Plot, Series
from workbench.tui.run_view import RunView
from workbench.tui.viewport import Progress, short
from workbench.tui.words import number, percent, significant

MARKS = {"validation": "▲", "test": "◆"}


def progress_of(view: RunView) -> Progress:
    """What the axes need to know of a run."""
    newest = max([view.step, *(found[-1].step for found in view.evaluated.values() if found)])
    return Progress(view.steps_seen, view.seconds, max(1, view.steps), view.steps_per_epoch, newest)


def plots(view: RunView, smoothing: int) -> list[Plot]:
    """All charts of a run, the most important first. The last two tell of the GPU, or of the process on a CPU run."""
    return [
        Plot("Loss", _learning(view, view.loss, "loss", smoothing), number, _digits(5), short, positive=True),
        Plot("Accuracy", _learning(view, view.accuracy, "accuracy", smoothing), percent, _share(2), _share(0), "share"),
        Plot("Learning rate", (_line(view.learning_rate, "rate"),), significant, _significant(6), short, positive=True),
        Plot("Throughput", (_line(view.rate, "img/s", "smooth"),), _thousands, _thousands, short),
        *_machine(view),
    ]


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


def _line(curve: Curve, name: str, colour: str = "smooth") -> Series:
    return Series(name, curve.steps, curve.values, colour, "faint")


def _machine(view: RunView) -> list[Plot]:
    machine = view.machine
    steps = machine.steps(view.times, view.steps_seen, view.begun_at)

    def series(name: str, label: str, scale: float = 1.0) -> tuple[Series, ...]:
        values = array("d", (numbers(machine.figures[name]) * scale).tobytes())
        return (Series(label, steps, values, "validation", "faint"),)

    if "gpu" in machine.known:
        total = f"GiB of {machine.gpu_memory_total / GIB:.0f}"
        return [
            Plot("GPU memory", series("gpu_memory", total, 1 / GIB), _digits(1), _digits(3), short),
            Plot("GPU use", series("gpu", "busy"), _share(0), _share(0), _share(0), "share"),
        ]
    return [
        Plot("CPU", series("cpu", "of a core"), _share(0), _share(0), _share(0)),
        Plot("Memory", series("memory", "GiB", 1 / GIB), _digits(2), _digits(3), short),
    ]


def _digits(places: int) -> Writer:
    return lambda value: number(value, places)


def _share(places: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{places}%}" if math.isfinite(value) else "–"


def _significant(digits: int) -> Writer:
    return lambda value: f"{value:.{digits}g}" if math.isfinite(value) else "–"


def _thousands(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "–"
