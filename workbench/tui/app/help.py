"""All keys of a screen, from the registry; a click does what the line says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from workbench.tui.common.actions import Action
from workbench.tui.common.screens import Dialog
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import place


def places_in_words(runs: Path, data_root: Path, device: str) -> Content:
    """The places and the device in use."""
    return Content.assemble(
        ("\n  runs    ", "bold"), place(runs, 60), ("\n  data    ", "bold"), place(data_root, 60),
        ("\n  device  ", "bold"), device,
    )  # fmt: skip


class HelpLine(Text):
    """One action."""

    class Chosen(Message):
        """It was clicked."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def __init__(self, action: Action) -> None:
        super().__init__(classes="help-line")
        self.shown_action = action
        self.show(Content.assemble((f" {action.shown_key:>6}  ", "bold $primary"), action.about))

    def on_click(self) -> None:
        self.post_message(self.Chosen(self.shown_action))


class HelpScreen(Dialog[Action | None]):
    """Returns the action that was clicked, or None."""

    BINDINGS = [Binding("escape,question_mark,f1,q,enter", "close", show=False)]

    def __init__(self, actions: Sequence[Action], places: Content) -> None:
        super().__init__()
        self._actions = actions
        self._places = places

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help") as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "esc closes · a click does it · ^p finds every action"
            for action in self._actions:
                yield HelpLine(action)
            places = Text(classes="help-places")
            places.show(self._places)
            yield places

    @on(HelpLine.Chosen)
    def _chosen(self, event: HelpLine.Chosen) -> None:
        event.stop()
        self.dismiss(event.action)

    def action_close(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)
