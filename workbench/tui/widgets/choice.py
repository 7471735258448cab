"""One of a few values, all of them in sight: arrows and space move, a click picks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from workbench.tui.composed import Composed


class Choice(Composed, Widget, can_focus=True):
    """Shows ``chosen  other  other``; where they have no room, only the chosen one between arrows."""

    COMPONENT_CLASSES = {"choice--chosen", "choice--other"}
    BINDINGS = [
        Binding("left", "move(-1)", show=False),
        Binding("right,space", "move(1)", show=False),
    ]

    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

    def __init__(self, values: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.values = list(values)
        self.set_reactive(Choice.value, value)

    def action_move(self, by: int) -> None:
        """Choose a neighbour; after the last comes the first."""
        place = self.values.index(self.value) if self.value in self.values else -1
        self.value = self.values[(place + by) % len(self.values)]

    def watch_value(self, value: str) -> None:
        self.post_message(self.Changed(self, value))

    def on_click(self, event: events.Click) -> None:
        if not self._fits():
            self.action_move(1)
            return
        x = 0
        for value in self.values:
            x += len(value) + 2
            if event.x < x:
                self.value = value
                return

    def _fits(self) -> bool:
        return sum(len(v) + 2 for v in self.values) <= self.size.width

    def render(self) -> Text:
        chosen = self.get_component_rich_style("choice--chosen", partial=True)
        other = self.get_component_rich_style("choice--other", partial=True)
        if not self._fits():
            return Text.assemble(("‹", other), (f" {self.value} ", chosen), ("›", other), no_wrap=True)
        parts: list[tuple[str, Style]] = [(f" {v} ", chosen if v == self.value else other) for v in self.values]
        return Text.assemble(*parts, no_wrap=True)
