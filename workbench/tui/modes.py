"""The screens of the app by the names of its modes; all but the first are imported when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.tui.screens.compose import ComposeScreen

if TYPE_CHECKING:
    from textual.screen import Screen

    from workbench.tui.screens.profile import ProfileScreen
    from workbench.tui.screens.run import RunScreen
    from workbench.tui.screens.runs import RunsScreen


def _run() -> RunScreen:
    from workbench.tui.screens.run import RunScreen

    return RunScreen()


def _profile() -> ProfileScreen:
    from workbench.tui.screens.profile import ProfileScreen

    return ProfileScreen()


def _runs() -> RunsScreen:
    from workbench.tui.screens.runs import RunsScreen

    return RunsScreen()


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    "compose": ComposeScreen,
    "run": _run,
    "profile": _profile,
    "runs": _runs,
}
