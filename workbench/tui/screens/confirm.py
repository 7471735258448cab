"""A question with a few answers."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button

from workbench.tui.widgets.pane import Text


class ConfirmScreen(ModalScreen[str]):
    """Returns the chosen answer's name; "" for the way out. Arrows and enter choose."""

    BINDINGS = [
        Binding("escape", "answer('')", show=False),
        Binding("up,left", "app.focus_previous", show=False),
        Binding("down,right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, question: str, answers: Sequence[tuple[str, str]], cancel: str = "Cancel") -> None:
        super().__init__()
        self._title = title
        self._question = question
        self._answers = [*answers, ("", cancel)]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog confirm") as dialog:
            dialog.border_title = Content(self._title)
            text = Text(classes="question")
            text.show(Content(self._question))
            yield text
            for number, (name, words) in enumerate(self._answers):
                yield Button(
                    Content(words),
                    id=f"answer-{name or 'cancel'}",
                    variant="primary" if number == 0 else "default",
                    compact=True,
                )

    def on_mount(self) -> None:
        self.query(Button).first().focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        name = (event.button.id or "").removeprefix("answer-")
        self.dismiss("" if name == "cancel" else name)

    def action_answer(self, name: str) -> None:
        """Choose by name."""
        self.dismiss(name)
