"""One line of text: tags, or a note."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input

from workbench.runs.errors import RunError
from workbench.tui.screens.base import Dialog
from workbench.tui.widgets.pane import Text


class LineScreen(Dialog[str | None]):
    """Returns what was written, or None. ``check`` raises RunError for what cannot be meant.

    hint: what to write. accept: what enter does, in a word.
    """

    BINDINGS = [Binding("escape", "cancel", show=False)]
    AUTO_FOCUS = "#line-text"

    def __init__(
        self,
        title: str,
        text: str,
        hint: str,
        check: Callable[[str], object] = lambda text: None,
        accept: str = "Save",
    ) -> None:
        super().__init__()
        self._title = title
        self._given = text
        self._hint = hint
        self._check = check
        self._accept = accept

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog line") as dialog:
            dialog.border_title = Content(self._title)
            yield Input(self._given, id="line-text", compact=True, select_on_focus=False)
            yield Text(id="line-hint")
            with Horizontal(classes="buttons"):
                yield Button(f"{self._accept}  ⏎", id="save", variant="primary", compact=True)
                yield Button("Cancel  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._say()

    def _say(self) -> str:
        """Say what is wrong with the text, or what to write; returns what is wrong."""
        try:
            self._check(self.query_one(Input).value)
        except RunError as error:
            self.query_one("#line-hint", Text).show(Content.styled(f"✗ {error}", "$error"))
            return str(error)
        self.query_one("#line-hint", Text).show(Content.styled(self._hint, "$muted"))
        return ""

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_save()

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        await self.run_action(f"screen.{event.button.id}")

    def action_save(self) -> None:
        """Return the text, if it can be meant."""
        if not self._say():
            self.dismiss(self.query_one(Input).value)

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)
