"""The texts about runs: head, recipe and figures of one run, or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from workbench.runs.catalog import Entry
from workbench.runs.compare import Metric, metric_change, value_text
from workbench.tui import texts
from workbench.tui.overlay import Look
from workbench.tui.run_lister import Details
from workbench.tui.widgets.run_head import STATES
from workbench.tui.words import cut, duration

MUTED = "$muted"
Part = Content | str | tuple[str, str]
NAME, VALUE, MARK = 15, 8, 6
"""Cells for a figure's name, for its value, and at least for a run's mark and the end of its name."""


def head(entry: Entry) -> Content:
    """Two lines, whatever there is to say: name, state, step and device; tags, note and message."""
    status, notes = entry.status, entry.notes
    sign, colour = STATES.get(entry.state, STATES["unknown"])
    parts: list[Part] = [(entry.name, "bold"), (f"  {sign} {entry.state}", f"bold {colour}")]
    if status is not None and status.steps:
        parts += [("  step ", MUTED), f"{status.step:,} of {status.steps:,}"]
    if status is not None and status.device:
        parts += [("  on ", MUTED), f"{status.device}, {status.host}"]
    words = [
        (f"✗ {notes.problem}" if notes.problem else "", "$error"),
        (" ".join(notes.tags), "$accent"),
        (" ".join(notes.note.split()), ""),
        (" ".join(status.message.split()) if status else "", colour),
    ]
    second = Content("  ").join([Content.assemble(part) for part in words if part[0]])
    return Content.assemble(*parts, "\n", second)


def recipe_side(details: Details, looks: Mapping[str, Look], room: int) -> tuple[str, Content]:
    """The title and text of the recipe difference, in lines of ``room`` cells."""
    found = details.comparison
    if details.problem:
        return "Recipe", Content.styled(f"✗ {details.problem}", "$error")
    if found is None:
        return "Recipe", Content("")
    if len(found.runs) == 1:
        name = found.runs[0].recipe
        if not details.known:
            return "Recipe", Content.styled(f"there is no recipe {name} to compare with; b pins a baseline", MUTED)
        if not details.changes:
            return f"Recipe, from {name}", Content.styled("as it stands there", MUTED)
        return f"Recipe, from {name}", texts.changes(details.changes)
    if not found.recipe:
        return "Recipe", Content.styled("the same in all of them", MUTED)
    rows = [(path.removeprefix("techniques."), [value_text(v) for v in values]) for path, values in found.recipe]
    longest = max(len(value) for _, values in rows for value in values)
    cells = min(max(MARK, longest), max(MARK, (room - 10) // len(found.runs) - 1))
    width = min(max(len(name) for name, _ in rows), max(10, room - (cells + 1) * len(found.runs)))
    parts: list[Part] = [" " * width, *_marks(found.runs, looks, cells), "\n"]
    for name, values in rows:
        parts.append((f"{cut(name, width, start=True):<{width}}", "bold"))
        for number, value in enumerate(values):
            style = "$primary" if number == 0 else MUTED if value == values[0] else ""
            parts.append((f" {cut(value, cells):>{cells}}", style))
        parts.append("\n")
    return "Recipe", Content.assemble(*parts).rstrip()


def figures_side(details: Details, looks: Mapping[str, Look]) -> tuple[str, Content]:
    """The title and text of the figures, with their differences from the first run."""
    found = details.comparison
    if found is None or not found.metrics:
        return "Figures", Content.styled("none yet" if found else "", MUTED)
    several = len(found.runs) > 1
    parts: list[Part] = [" " * NAME, *_marks(found.runs, looks, VALUE), "\n"] if several else []
    for metric, values in found.metrics:
        parts.append((f"{metric.name:<{NAME}}", "bold"))
        for number, value in enumerate(values):
            parts.append((f" {_value(metric, value):>{VALUE}}", "" if number else "$primary"))
        if len(values) == 2:
            parts.append(_changed(metric, values[0], values[1]))
        parts.append("\n")
        if len(values) > 2 and metric.better:
            parts.append(" " * (NAME + VALUE + 1))
            parts += [_changed(metric, values[0], value) for value in values[1:]]
            parts.append("\n")
    return "Figures", Content.assemble(*parts).rstrip()


def _marks(runs: Sequence[Entry], looks: Mapping[str, Look], cells: int) -> list[Part]:
    """The heading of the columns: each run's mark in its colour; the first without one is the baseline."""
    parts: list[Part] = []
    for number, entry in enumerate(runs):
        look = looks.get(entry.name)
        name = f"{look.mark if look else '' if number else '⚑'} {entry.name[-4:]}"
        parts.append((f" {name:>{cells}}", f"bold {look.hex}" if look else "bold $accent"))
    return parts


def _changed(metric: Metric, before: float | None, after: float | None) -> tuple[str, str]:
    words = f" {metric_change(metric, before, after):>{VALUE}}"
    if before is None or after is None or before == after or not metric.better:
        return words, MUTED
    return words, "$success" if (after > before) == (metric.better > 0) else "$error"


def _value(metric: Metric, value: float | None) -> str:
    if value is None:
        return "–"
    match metric.kind:
        case "share":
            return f"{value:.2%}"
        case "loss":
            return f"{value:.4f}" if abs(value) < 1000 else f"{value:.2e}"
        case "seconds":
            return duration(value)
        case _:
            return f"{value:,.0f}"
