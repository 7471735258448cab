"""The first and the last line of a screen: where one is and what it is about, and the keys that matter."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from workbench.tui.common.actions import Action, Where, actions
from workbench.tui.common.widgets import Text
from workbench.tui.compat.composed import Composed


class KeyBar(Text):
    """One line of text. Textual's Footer builds a widget a key anew whenever the focus moves."""

    def __init__(self, where: Where, keymap: Mapping[str, str]) -> None:
        super().__init__(classes="key-bar")
        self._actions = [action for action in actions(where, keymap) if action.title]

    def on_mount(self) -> None:
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
        """As many as have room, without those that the screen hides; help and quit stay to the last."""
        found = [action for action in self._actions if self.screen.check_action(action.name, ()) is not False]
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


SCREENS = {"compose": "1 Compose", "run": "2 Run", "profile": "3 Profile", "runs": "4 Runs"}


class Tab(Text):
    """A screen's name; a click goes there."""

    def __init__(self, mode: str) -> None:
        super().__init__(id=f"tab-{mode}", classes="tab")
        self.mode = mode

    async def on_click(self) -> None:
        await self.run_action(f"app.show('{self.mode}')")


class TopBar(Composed, Horizontal):
    """``active`` is the mode of the screen that it stands on."""

    def __init__(self, active: str) -> None:
        super().__init__(classes="top-bar")
        self._active = active

    def compose(self) -> ComposeResult:
        brand = Text(classes="brand")
        brand.show(Content("workbench"))
        yield brand
        for mode in SCREENS:
            tab = Tab(mode)
            tab.set_class(mode == self._active, "-active")
            tab.show(Content(SCREENS[mode]))
            yield tab
        yield Text(id="about")

    def show(self, about: Content, running: Content) -> None:
        """``about``: what the screen is about, at the right; ``running``: beside the tab of Run."""
        if not self.children:  # a timer may be faster than the first layout
            return
        self.query_one("#about", Text).show(about, layout=False)
        self.query_one("#tab-run", Text).show(Content.assemble(SCREENS["run"], running))
