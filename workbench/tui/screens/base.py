"""The two kinds of screens: those of a mode, and those that lie over another one."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen

from workbench.tui.composed import Composed

Result = TypeVar("Result")


class WorkbenchScreen(Composed, Screen[Result], Generic[Result]):
    """A screen of a mode."""


class Dialog(Composed, ModalScreen[Result], Generic[Result]):
    """A screen that lies over another one until it is answered."""


class ReadingDialog(Dialog[None]):
    """One that is read, scrolled and closed; its text lies in the only VerticalScroll."""

    BINDINGS = [
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def action_scroll(self, by: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        """Back to where one was."""
        self.dismiss(None)
