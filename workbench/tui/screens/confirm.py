"""A question with a few answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button

from workbench.tui.composed import when_ready
from workbench.tui.screens.base import Dialog
from workbench.tui.widgets.pane import Text


class ConfirmScreen(Dialog[str]):
    """Returns the chosen answer's name; "" for the way out. Arrows and enter choose.

    loses: the names of answers after which something is gone, ends or stands still. Such an answer is never chosen in
    advance, and a question that has one is answered only by whoever can have seen it: the app gives it nothing that was
    typed or clicked before it was drawn, see :meth:`workbench.tui.terminal_app.TerminalApp.heeds`.
    """

    BINDINGS = [
        Binding("escape", "answer('')", show=False),
        Binding("up,left", "app.focus_previous", show=False),
        Binding("down,right", "app.focus_next", show=False),
    ]

    def __init__(
        self,
        title: str,
        question: str,
        answers: Sequence[tuple[str, str]],
        cancel: str = "Cancel",
        loses: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._title = title
        self._question = question
        self._answers = [*answers, ("", cancel)]
        self.loses = frozenset(loses)
        self._chosen = next(name for name, _ in self._answers if name not in self.loses)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog confirm") as dialog:
            dialog.border_title = Content(self._title)
            yield Text(classes="question")
            for name, words in self._answers:
                yield self._button(name, words)

    def on_mount(self) -> None:
        self._fill()
        self.query_one(f"#{_id(self._chosen)}", Button).focus()

    def _button(self, name: str, words: str) -> Button:
        variant: Literal["primary", "default"] = "primary" if name == self._chosen else "default"
        return Button(Content(words), id=_id(name), variant=variant, compact=True)

    def tell(self, question: str) -> None:
        """Another text of the question: more is known now."""
        self._question = question
        self._fill_again()

    def offer(self, name: str, words: str) -> None:
        """One more answer, before the way out."""
        self._answers.insert(-1, (name, words))
        self._fill_again()

    @when_ready
    def _fill_again(self) -> None:
        self._fill()

    def _fill(self) -> None:
        """Show the question, and what was offered since the answers were composed."""
        self.query_one(".question", Text).show(Content(self._question))
        for name, words in self._answers:
            if not self.query(f"#{_id(name)}"):
                self.query_one(".confirm").mount(self._button(name, words), before=f"#{_id('')}")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        name = (event.button.id or "").removeprefix("answer-")
        self.dismiss("" if name == "cancel" else name)

    def action_answer(self, name: str) -> None:
        """Choose by name."""
        self.dismiss(name)


def _id(name: str) -> str:
    return f"answer-{name or 'cancel'}"
