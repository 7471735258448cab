"""The last line of a screen: the keys that matter, from the registry; a click does what the key does."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.content import Content

from workbench.tui.actions import Action, Where, actions
from workbench.tui.widgets.pane import Text

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench


class KeyBar(Text):
    """One line of text. Textual's Footer builds a widget a key anew whenever the focus moves."""

    def __init__(self, where: Where) -> None:
        super().__init__(classes="key-bar")
        self._where: Where = where
        self._actions: list[Action] = []

    def on_mount(self) -> None:
        keymap = cast("Workbench", self.app).settings.keymap
        self._actions = [action for action in actions(self._where, keymap) if action.title]
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Dim what cannot be done at the moment."""
        parts: list[tuple[str, str]] = []
        for action in self._fitting():
            possible = self.screen.check_action(action.name, ()) is not None
            parts.append((f" {action.shown_key}", "bold $primary" if possible else "bold $primary 40%"))
            parts.append((f" {action.title}", "$foreground 75%" if possible else "$foreground 35%"))
        self.show(Content.assemble(*parts), layout=False)

    def on_resize(self) -> None:
        self.refresh_keys()

    def _fitting(self) -> list[Action]:
        """As many as have room; those of every screen, help and quit, stay to the last."""
        found = list(self._actions)
        while found and sum(map(_cells, found)) > max(1, self.size.width):
            found.pop(next((i for i in reversed(range(len(found))) if found[i].where != "app"), -1))
        return found

    def action_at(self, x: int) -> Action | None:
        """The action whose key or name is in this column."""
        for action in self._fitting():
            x -= _cells(action)
            if x < 0:
                return action
        return None

    async def on_click(self, event: events.Click) -> None:
        action = self.action_at(event.x)
        if action is not None:
            await self.screen.run_action(action.full_name)


def _cells(action: Action) -> int:
    return len(action.shown_key) + len(action.title) + 2
