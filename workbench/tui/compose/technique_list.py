"""The list of a recipe's parts and of all techniques, with a cursor; it redraws only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from workbench.format import percent
from workbench.recipe import Change, Problem, Recipe
from workbench.recipe.registries import CHECKS, TECHNIQUES
from workbench.recipe.specs import Spec, Table
from workbench.techniques.base import GROUPS
from workbench.tui.common.widgets import CursorLines
from workbench.tui.compose.values import NONE, Values, fitting, values

LABEL, SHORT_LABEL = 17, 12
"""Cells for a technique's name; in a narrow list longer ones move their values to the right."""
NARROW = 44
"""Cells below which a list is narrow."""
NOTHING = " nothing is like that; esc shows all"
SAID = ("source", "batch_size", "epochs")
"""Parameters that a line of the recipe's parts says in its first words."""


class TechniqueList(CursorLines):
    """Shows rows; says when the cursor moves, and when one is to be switched or edited."""

    COMPONENT_CLASSES = {
        "list--heading",
        "list--on",
        "list--off",
        "list--value",
        "list--changed",
        "list--wrong",
        "list--cursor",
    }

    class Moved(Message):
        """The cursor stands on another place."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    class Toggled(Message):
        """A checkbox was clicked."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    class Edited(Message):
        """A line was double-clicked: its parameters are to be edited."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Row] = []

    @property
    def place(self) -> str:
        """What the cursor stands on; "" if the list is empty."""
        return self._rows[self.cursor].place if 0 <= self.cursor < len(self._rows) else ""

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if 0 <= self.cursor < len(self._rows) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Take new rows; the cursor stays on its place if that is still there."""
        before, place = self._rows, self.place
        self._rows = list(rows)
        self.virtual_size = Size(0, len(self._rows))
        if len(before) == len(self._rows):
            for number, (old, new) in enumerate(zip(before, self._rows, strict=True)):
                if old != new:
                    self.refresh_row(number)
        else:
            self.refresh()
        self.select(place, announce=not place)

    def select(self, place: str, *, announce: bool = True) -> None:
        """Put the cursor on a place, or on the nearest row that has one."""
        number = next((i for i, row in enumerate(self._rows) if place and row.place == place), None)
        if number is None:
            number = self._nearest(min(self.cursor, len(self._rows) - 1), 1)
            announce = True
        self._put(number, announce)

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows; headings are skipped."""
        target = min(max(self.cursor + by, 0), len(self._rows) - 1)
        self._put(self._nearest(target, 1 if by > 0 else -1), True)

    def _nearest(self, number: int, direction: int) -> int:
        """The nearest row with a place, first in one direction, then in the other."""
        count = len(self._rows)
        ahead = range(number, count) if direction > 0 else range(number, -1, -1)
        behind = range(number, -1, -1) if direction > 0 else range(number, count)
        return next((i for i in [*ahead, *behind] if 0 <= i < count and self._rows[i].place), 0)

    def _put(self, number: int, announce: bool) -> None:
        before = self.cursor
        self.cursor = number
        if before != number:
            self.refresh_row(before)
            self.refresh_row(number)
        # The heading above comes into view with its first row.
        top = number - 1 if number > 0 and not self._rows[number - 1].place else number
        self.scroll_to_region(Region(0, top, 1, number - top + 1), animate=False, force=True, immediate=True)
        if announce and self._rows:
            self.post_message(self.Moved(self.place))

    def on_click(self, event: events.Click) -> None:
        number = event.y + self.scroll_offset.y
        if event.get_content_offset(self) is None or not 0 <= number < len(self._rows) or not self._rows[number].place:
            return
        event.stop()
        self._put(number, True)
        row = self._rows[number]
        if row.on is not None and 1 <= event.x <= 5:
            self.post_message(self.Toggled(row.place))
        elif event.chain == 2:
            self.post_message(self.Edited(row.place))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number = y + self.scroll_offset.y
        width = self.size.width
        base = self.rich_style
        if not self._rows and y == 0:
            quiet = self.get_component_rich_style("list--off", partial=True)
            return Strip([Segment(NOTHING, base + quiet)]).adjust_cell_length(width, base)
        if not 0 <= number < len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[number]
        if number == self.cursor:
            cursor = self.get_component_rich_style("list--cursor", partial=True)
            base = self.under_cursor(base, cursor)
        segments = [Segment(text, base + style) for text, style in self._parts(row)]
        return Strip(segments).adjust_cell_length(width, base)

    def _parts(self, row: Row) -> list[tuple[str, Style]]:
        def style(name: str) -> Style:
            return self.get_component_rich_style(f"list--{name}", partial=True)

        if not row.place:
            return [(f" {row.label}", style("heading"))]
        mark = ("!", style("wrong")) if row.wrong else ("•", style("changed")) if row.changed else (" ", Style())
        if row.on is None:
            head, label = f" {row.label:<7}", style("on")
        else:
            cells = LABEL if self.size.width >= NARROW else SHORT_LABEL
            head, label = f" [{'x' if row.on else ' '}] {row.label:<{cells}}", style("on" if row.on else "off")
        if row.wrong:
            label = style("wrong")
        own, usual = fitting(row.values, self.size.width - 1 - len(head) - 2)
        return [mark, (head, label), (f" {own}", style("value")), (usual, style("off"))]


@dataclass(frozen=True)
class Row:
    """One line. ``place`` is what it stands for (``data``, ``techniques.sgd``, ``checks.fit``, …), "" for a heading.

    on: None for what cannot be switched. values: the parameters in a few words; none for what is off.
    wrong: it takes part in a conflict.
    """

    label: str
    place: str = ""
    on: bool | None = None
    values: Values = NONE
    wrong: bool = False
    changed: bool = False


def rows(recipe: Recipe, problems: Sequence[Problem], changes: Sequence[Change], wanted: str = "") -> list[Row]:
    """All lines, or those that a filter text is found in, under the headings that still have any.

    Names and groups come first: cards are searched only where no name or group has the words.
    """
    wrong = {_place(p.path) for p in problems}
    changed = {_place(c.path) for c in changes}
    if recipe.name and any(c.path == "seed" for c in changes):
        changed.add("recipe")
    sections = [("", _parts(recipe)), *_techniques(recipe), *_checks(recipe)]
    by_name = any(_matches(wanted, f"{heading} {r.label}") for heading, members in sections for r, _ in members)
    found: list[Row] = []
    for heading, members in sections:
        kept = [
            Row(r.label, r.place, r.on, r.values, r.place in wrong, r.place in changed)
            for r, text in members
            if _matches(wanted, f"{heading} {r.label}" if by_name else f"{heading} {r.label} {text}")
        ]
        if kept:
            found += [Row(heading), *kept] if heading else kept
    return found


def _place(path: str) -> str:
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] in ("techniques", "checks") else parts[0]


def _matches(wanted: str, text: str) -> bool:
    text = text.lower().replace("_", " ")
    return all(word in text for word in wanted.lower().replace("_", " ").split())


def _parts(recipe: Recipe) -> list[tuple[Row, str]]:
    data, train, expect = recipe.data, recipe.train, recipe.expect
    epochs = "epoch" if train.epochs == 1 else "epochs"
    parts = [
        Row("name", "recipe", values=Values((recipe.name, f"seed {recipe.seed}"))),
        Row("data", "data", values=_named(data.source, f"batch {data.batch_size}", recipe.data_source, data)),
        Row("model", "model", values=_named(recipe.model.name, "", recipe.model)),
        Row("train", "train", values=_named(f"{train.epochs:g} {epochs}", "", train)),
    ]
    if expect.accuracy or expect.parameters:
        claims = [f"{100 * expect.accuracy[0]:.1f}–{percent(expect.accuracy[1], 1)}"] if expect.accuracy else []
        claims += [f"{expect.parameters:,} parameters"] if expect.parameters else []
        parts.append(Row("expect", "expect", values=Values(tuple(claims))))
    return [(row, str(row.values)) for row in parts]


def _named(first: str, second: str, *specs: Spec | Table) -> Values:
    """What a part is first of all, then its own values; defaults only of the specs that have a name."""
    found = [values(spec, SAID) for spec in specs]
    usual = [word for spec, v in zip(specs, found, strict=True) if isinstance(spec, Spec) for word in v.usual]
    own = [word for v in found for word in v.own]
    return Values(tuple(filter(None, (first, second, *own))), tuple(usual))


def _techniques(recipe: Recipe) -> list[tuple[str, list[tuple[Row, str]]]]:
    groups: dict[str, list[tuple[Row, str]]] = {group: [] for group in GROUPS}
    for spec in TECHNIQUES:
        on = recipe.on(spec.name)
        found = values(recipe.techniques[spec.name]) if on else NONE
        row = Row(spec.name, f"techniques.{spec.name}", on=on, values=found)
        groups.setdefault(spec.group, []).append((row, spec.summary()))
    return [(group, members) for group, members in groups.items() if members]


def _checks(recipe: Recipe) -> list[tuple[str, list[tuple[Row, str]]]]:
    moments: dict[str, list[tuple[Row, str]]] = {"before": [], "during": [], "after": []}
    for kind in CHECKS:
        spec: Any = recipe.checks.get(kind.name) or kind()
        row = Row(kind.name, f"checks.{kind.name}", on=spec.enabled, values=values(spec) if spec.enabled else NONE)
        moments[kind.when].append((row, f"{kind.title} {kind.summary()}"))
    return [(f"checks {moment} the run", members) for moment, members in moments.items()]
