"""What was just copied, to be read, or to be selected where the terminal takes no OSC 52."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from workbench.tui.screens.base import ReadingDialog
from workbench.tui.widgets.pane import Text


class CopiedScreen(ReadingDialog):
    """Closes with any of the usual keys."""

    BINDINGS = [
        Binding("escape,enter,q,y,space", "close", show=False),
        Binding("pagedown", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]

    def __init__(self, text: str, what: str, *, whole: bool = True) -> None:
        super().__init__()
        self._text = text
        self._what = what
        self._whole = whole

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog copied") as dialog:
            dialog.border_title = Content(f"Copied {self._what}")
            dialog.border_subtitle = "esc closes"
            with VerticalScroll(can_focus=False):
                shown = Text(classes="copied--text")
                shown.show(Content(self._text.rstrip("\n")))
                yield shown
            hint = Text(classes="copied--hint")
            told = "Sent to your terminal's clipboard (OSC 52). If it takes none, select the text here with the mouse."
            long = "It is longer than many terminals take at once; if the clipboard has only a part, save it to a file."
            hint.show(Content.styled(told if self._whole else long, "$muted"))
            yield hint
