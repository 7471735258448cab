"""The two kinds of screens: those of a mode, and those that lie over another one."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.screen import ModalScreen, Screen

from workbench.tui.composed import Composed

Result = TypeVar("Result")


class WorkbenchScreen(Composed, Screen[Result], Generic[Result]):
    """A screen of a mode."""


class Dialog(Composed, ModalScreen[Result], Generic[Result]):
    """A screen that lies over another one until it is answered."""
