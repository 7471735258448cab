"""What the app does for its screens, and what it was told for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from workbench.settings import Screens
from workbench.tui.common.editor import Editor
from workbench.tui.common.palette import Palette

if TYPE_CHECKING:
    from textual.message import Message
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

Result = TypeVar("Result")


@dataclass(frozen=True)
class Settings:
    """Places and device in use, and how the screens are to look.

    device: ``"auto"``, ``"cpu"`` or ``"cuda:N"``. plugins: files that are loaded. ascii: charts and frames do
    without braille and box drawing. keymap: the user's keys by action id. in_browser: the screens are a page, which
    ends this process when it is closed; runs are trained in others.
    """

    runs: Path
    data_root: Path
    device: str = "auto"
    plugins: tuple[Path, ...] = ()
    screens: Screens = field(default_factory=Screens)
    ascii: bool = False
    keymap: Mapping[str, str] = field(default_factory=dict)
    in_browser: bool = False

    @property
    def roots(self) -> tuple[Path, Path]:
        """Where a data set's relative path is looked for, in turn."""
        return self.data_root, Path()


class Services(Protocol):
    """What every screen may ask of the app, which hands itself over as this and is nothing else to them.

    A screen that needs more says so in a protocol of its own beside it, such as
    :class:`workbench.tui.compose.screen.ComposeServices`.

    settings: for the whole session. editor: the recipe being composed. layout: what each screen remembers for the next
    session in this folder, by its name. now: seconds since 1970. device: that of the next run.
    """

    settings: Settings
    editor: Editor
    layout: dict[str, dict[str, Any]]
    now: Callable[[], float]
    device: str

    @property
    def palette(self) -> Palette:
        """The charts' colours in the theme in use."""

    def key(self, action: str) -> str:
        """The key of an action, by its id, as it is written for people."""

    def recipe_changed(self) -> None:
        """The editor has another recipe, or the same under another name: show it."""

    def refresh_top(self) -> None:
        """Show what the first line of the screen in front says now."""

    def hold_input(self) -> Callable[[], None]:
        """Let the next keys wait, a moment at most, until what is returned is called."""

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information", timeout: float | None = None
    ) -> None:
        """Show a message for some seconds."""

    def push_screen(self, screen: Screen[Result], callback: Callable[[Result | None], None] | None = None) -> object:
        """Open a dialog; the callback gets what it returns."""

    def post_message(self, message: Message) -> bool:
        """Tell something, from any thread; False where nobody will hear it any more."""
