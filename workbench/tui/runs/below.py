"""The lower part of Runs: details, chart, or nothing; the texts of the details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from workbench.format import bare, duration, percent
from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS as FIGURES
from workbench.runs.find.compare import Metric, metric_change
from workbench.runs.find.fields import spread, states
from workbench.runs.find.groups import Group
from workbench.runs.find.varying import titles
from workbench.tui.common.texts import MUTED, STATES, Part, diff
from workbench.tui.common.widgets import Pane, Text, show_border
from workbench.tui.common.words import cut, cut_apart
from workbench.tui.compat.composed import Composed
from workbench.tui.runs.lister import METRICS, XS, Details
from workbench.tui.runs.overlay import Look, OverlayPane

VIEWS = ("details", "overlay", "none")


class RunsBelow(Composed, Horizontal):
    """What is shown, and how the chart shows it. ``allowed``: there is a run to show anything of."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.details, self.overlay = RunDetails(id="run-details"), OverlayPane(id="overlay")
        self.view, self.metric, self.x = VIEWS[0], METRICS[0], XS[0]
        self._allowed = True

    def compose(self) -> ComposeResult:
        yield self.details
        yield self.overlay

    def on_mount(self) -> None:
        self._show()

    @property
    def chart_in_sight(self) -> bool:
        """Whether the chart can be seen."""
        return self.view == "overlay" or (self.view == "details" and self._wide)

    @property
    def remembered(self) -> dict[str, Any]:
        """What the next session in this folder begins with."""
        return {"view": self.view, "metric": self.metric, "x": self.x}

    def restore(self, before: dict[str, Any]) -> None:
        """Take up what an earlier session remembered."""
        for name, known in (("view", VIEWS), ("metric", METRICS), ("x", XS)):
            if before.get(name) in known:
                setattr(self, name, before[name])
        self._show()

    def allow(self, allowed: bool) -> None:
        """Whether there is a run to show anything of."""
        self._allowed = allowed
        self._show()

    def next_view(self) -> None:
        """Details, chart, or only the table; where there is room, the first two are one."""
        views = ("details", "none") if self._wide else VIEWS
        self.view = views[(views.index(self.view) + 1) % len(views)] if self.view in views else views[0]
        self._show()

    def next_metric(self) -> None:
        """The chart's next figure."""
        self.metric = METRICS[(METRICS.index(self.metric) + 1) % len(METRICS)]
        self._bring_chart()

    def next_x(self) -> None:
        """Epochs, steps or time."""
        self.x = XS[(XS.index(self.x) + 1) % len(XS)]
        self._bring_chart()

    @property
    def _wide(self) -> bool:
        return self.screen.has_class("-wide")

    def _bring_chart(self) -> None:
        if not self.chart_in_sight:
            self.view = "details" if self._wide else "overlay"
            self._show()

    def _show(self) -> None:
        shown = self._allowed and self.view != "none"
        if self.display != shown:
            self.display = shown
        self.details.set_class(self.view == "details", "-current")
        self.overlay.set_class(self.view == "overlay", "-current")


class RunDetails(Composed, Vertical):
    """The run under the cursor: head, then recipe and figures beside each other."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Details"
        self._head = Text(id="details-head")
        self._sides = Horizontal(id="details-sides")
        self._width = 0
        self._recipe = Pane(id="details-recipe")
        self._figures = Pane(id="details-figures")

    def compose(self) -> ComposeResult:
        yield self._head
        with self._sides:
            yield self._recipe
            yield self._figures

    def show(self, entry: Entry | None, details: Details, looks: Mapping[str, Look]) -> None:
        """Show a run and what it is compared with."""
        if self._head.display != (entry is not None):
            self._head.display = entry is not None
        if entry is not None:
            _show(self._head, head(entry))
        figures = figures_side(details, looks, entry)
        for pane, (title, content) in (
            (self._figures, figures),
            (self._recipe, recipe_side(details, looks, self._share(figures[1]))),
        ):
            if pane.border_title != Content(title).markup:
                show_border(pane, Content(title))
            _show(pane.text, content)

    def _share(self, figures: Content) -> int:
        """Give the figures the width that they need, and the recipe all else; the cells of a line that it has there."""
        whole = self._sides.size.width
        needed = max(map(len, figures.plain.splitlines()), default=0) + EDGES
        width = min(max(needed, LEAST), max(whole // 2, whole - LEAST))
        if whole and self._width != width:
            self._width = self._figures.styles.width = width
        return whole - width - EDGES

    def scroll_sides(self, direction: int) -> None:
        """Scroll recipe and figures by half their height."""
        for pane in (self._recipe, self._figures):
            pane.scroll_relative(y=direction * max(1, pane.size.height // 2), animate=False)


def _show(text: Text, content: Content) -> None:
    """Show a text whose lines never wrap: laying out the screen anew, which sends all of it, only for more or fewer."""
    text.show(content, layout=content.plain.count("\n") != text.plain.count("\n"))


NAME, VALUE, MARK = 15, 8, 6
"""Cells for a figure's name, for its value, and for a run's mark and the end of its name."""

LEAST, EDGES = 27, 3
"""Cells that recipe and figures have at least, and those of them in which no text stands."""


def head(entry: Entry) -> Content:
    """Two lines, whatever there is to say: name, state, step and device; tags, note and message."""
    status, notes = entry.status, entry.notes
    sign, colour = STATES.get(entry.state, STATES["unknown"])
    parts: list[Part] = [(entry.name, "bold"), (f"  {sign} {entry.state}", f"bold {colour}")]
    if isinstance(entry, Group):
        seeds = sorted(m.status.seed for m in entry.members if m.status and m.status.seed is not None)
        parts = [(f"{entry.recipe} ×{len(entry.members)}", "bold"), (f"  {sign} {states(entry)}", f"bold {colour}")]
        parts += [("  seeds ", MUTED), ", ".join(map(str, seeds))]
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
        return f"Recipe, from {name}", diff(details.changes, room)
    if not found.recipe:
        return "Recipe", Content.styled("the same in all of them", MUTED)
    names = [path.removeprefix("techniques.") for path, _ in found.recipe]
    rows = [(name, [bare(v) for v in values]) for name, (_, values) in zip(names, found.recipe, strict=True)]
    longest = max(len(value) for _, values in rows for value in values)
    if max(map(len, names)) + (max(MARK, longest) + 1) * len(found.runs) > room:  # the values before the keys
        rows = [(name, values) for name, (_, values) in zip(titles(names), rows, strict=True)]
    most = (room - max(len(name) for name, _ in rows)) // len(found.runs) - 1
    cells = min(max(MARK, longest), max(min(MARK, longest), most))
    width = min(max(len(name) for name, _ in rows), max(6, room - (cells + 1) * len(found.runs)))
    parts: list[Part] = [" " * width, *_marks(found.runs, looks, cells), "\n"]
    for name, (_, values) in zip(cut_apart([name for name, _ in rows], [width] * len(rows)), rows, strict=True):
        parts.append((f"{name:<{width}}", "bold"))
        for number, value in enumerate(values):
            style = "$primary" if number == 0 else MUTED if value == values[0] else ""
            parts.append((f" {cut(value, cells):>{cells}}", style))
        parts.append("\n")
    return "Recipe", Content.assemble(*parts).rstrip()


def figures_side(details: Details, looks: Mapping[str, Look], entry: Entry | None = None) -> tuple[str, Content]:
    """The title and text of the figures, with their differences from the first run; of a group mean and spread."""
    found = details.comparison
    if isinstance(entry, Group) and (found is None or [one.name for one in found.runs] == [entry.run.name]):
        return _spreads(entry)
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


def _spreads(group: Group) -> tuple[str, Content]:
    """Mean, standard deviation, lowest and highest of each figure, and of how many runs where not of all."""
    parts: list[Part] = []
    for metric in FIGURES:
        figure = group.figure(metric)
        if figure is None or metric.kind == "count":
            continue
        mean, after = spread(metric, figure)
        known = [v for member in group.finished if (v := metric.of(member)) is not None]
        ends = f"{_value(metric, min(known)).removesuffix(' %')}–{_value(metric, max(known))}" if figure.n > 1 else ""
        n = f"  n={figure.n}" if figure.n < len(group.members) else ""
        parts += [(f"{metric.name:<{NAME}}", "bold"), (f" {mean:>{VALUE}}", "$primary"), f" {after:<7}"]
        parts += [(f" {ends}{n}", MUTED), "\n"]
    if not parts:
        return "Figures", Content.styled("none of these runs has finished", MUTED)
    return f"Figures, mean ± spread of {len(group.members)}", Content.assemble(*parts).rstrip()


def _marks(runs: Sequence[Entry], looks: Mapping[str, Look], cells: int) -> list[Part]:
    """The heading of the columns: each run's mark in its colour; the first without one is the baseline."""
    parts: list[Part] = []
    for number, entry in enumerate(runs):
        look = looks.get(entry.name)
        name = f"{look.mark if look else '' if number else '⚑'} {entry.name[-4:]}"
        name = name if len(name) <= cells else name[:1]  # the mark alone
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
            return percent(value)
        case "loss":
            return f"{value:.4f}" if abs(value) < 1000 else f"{value:.2e}"
        case "seconds":
            return duration(value)
        case _:
            return f"{value:,.0f}"
