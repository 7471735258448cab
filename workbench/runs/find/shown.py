"""How a table writes what a field or a key of a run says, and the means and spreads of several."""

from __future__ import annotations

from collections.abc import Callable

from workbench.format import UNKNOWN, age, bare, duration, figure, percent
from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS, Metric
from workbench.runs.find.groups import Figure, Group
from workbench.runs.find.keys import value_of
from workbench.runs.find.query import Field

METRIC_OF = {
    "acc": "test accuracy", "test_loss": "test loss", "best": "best validation", "loss": "training loss",
    "time": "training time", "speed": "images/s",
}  # fmt: skip
"""The fields of the filter that are a metric's."""

_METRICS = {metric.name: metric for metric in METRICS}


def spread(metric: Metric, found: Figure, share: Callable[[float], str] = percent) -> tuple[str, str]:
    """A mean and its spread: ``98.05 %`` and ``±0.31``."""
    match metric.kind:
        case "share":
            words, after = share(found.mean), "" if found.spread is None else f"±{100 * found.spread:.2f}"
        case "loss":
            words, after = figure(found.mean), "" if found.spread is None else f"±{found.spread:.4f}"
        case "seconds":
            words, after = duration(found.mean), "" if found.spread is None else f"±{found.spread:.1f} s"
        case _:
            words, after = f"{found.mean:,.0f}", "" if found.spread is None else f"±{found.spread:,.0f}"
    return words, after


def group_cell(group: Group, name: str, share: Callable[[float], str] = percent) -> str:
    """``98.05 % ±0.31``, with the number of runs where not all have finished; "" for what is not averaged."""
    metric = _METRICS[METRIC_OF[name]] if name in METRIC_OF else None
    found = group.figure(metric) if metric is not None else None
    if metric is None or found is None:
        return UNKNOWN if metric is not None else ""
    n = f" n={found.n}" if found.n < len(group.members) else ""
    return " ".join(filter(None, spread(metric, found, share))) + n


def cell(entry: Entry, by: Field | tuple[str, ...], now: float) -> str:
    """What a field, or the first of some keys that its recipe has, says of a run; a dash for what is unknown."""
    if not isinstance(by, Field):
        value = value_of(entry.keys, by)
        return UNKNOWN if value is None else bare(value)
    if isinstance(entry, Group):
        if by.name in METRIC_OF:
            return group_cell(entry, by.name)
        if by.name == "state":
            return states(entry)
        if by.name in ("name", "seed", "step", "steps", "epoch"):
            return ""
    found = by.read(entry, now)
    if isinstance(found, tuple):
        return " ".join(found)
    if found is None:
        return UNKNOWN
    match by.kind:
        case "share":
            return percent(found)
        case "duration":
            return age(found) if by.name == "age" else duration(found)
        case "whole":
            return f"{found:,.0f}"
        case _:
            return f"{found:,.0f}" if by.name == "speed" else figure(found)


def states(group: Group) -> str:
    """``5 finished`` or ``4 finished, 1 running``."""
    return ", ".join(f"{count} {state}" for state, count in group.states.items())
