"""A field for a path, which Tab completes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from workbench.tui.common.background import start_thread
from workbench.tui.compat.composed import Composed

PATIENCE = 0.3
"""Seconds that a folder may take to be read; a server that does not answer is not waited for."""


class PathInput(Composed, Input):
    """roots: the folders that a relative path is looked for in. suffix: what files end in; "" where only folders are
    meant.
    """

    BINDINGS = [Binding("tab", "complete", show=False)]

    class Several(Message):
        """The path goes on in more than one way."""

        def __init__(self, names: Sequence[str]) -> None:
            super().__init__()
            self.names = names

    def __init__(
        self,
        value: str = "",
        *,
        roots: Sequence[Path] = (),
        suffix: str = "",
        placeholder: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(value, placeholder=placeholder, compact=True, id=id)
        self.roots = roots
        self.suffix = suffix
        self._asked = ""

    def action_complete(self) -> None:
        """Write what all ways to go on have in common, or say which there are; asked again, go to the next field."""
        text, end = self.value, len(self.value)
        ways = self._ways(text) if self.cursor_position == end and text != self._asked else []
        common = os.path.commonprefix(ways)  # noqa: RUF071  (a part of a name is what it is for)
        self._asked = text
        if len(common) > len(text):
            self.value = common
            self.cursor_position = len(common)
        elif len(ways) > 1:
            self.post_message(self.Several([way[text.rfind("/") + 1 :] for way in ways]))
        else:
            self.screen.focus_next()

    def _ways(self, text: str) -> list[str]:
        """In a thread, as a folder may lie on a disk that does not answer; but keys that follow find it done."""
        found: list[list[str]] = []
        thread = start_thread("completing a path", lambda: found.append(ways(text, self.roots, self.suffix)))
        thread.join(PATIENCE)
        return found[0] if found else []


def ways(text: str, roots: Sequence[Path], suffix: str = "") -> list[str]:
    """All paths that go on from a text, written as it is; folders end in a slash. Hidden ones only after a dot."""
    if text == "~":
        return ["~/"]
    given, slash, begun = text.rpartition("/")
    given += slash
    folder = Path(given).expanduser() if given.startswith("~") else Path(given)
    found: set[str] = set()
    for place in [folder] if folder.is_absolute() else [root.expanduser() / folder for root in roots]:
        found |= _entries(place, begun, suffix)
    return sorted(given + name for name in found)


def _entries(folder: Path, begun: str, suffix: str) -> set[str]:
    found = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(begun) or (entry.name.startswith(".") and not begun):
                    continue
                if entry.is_dir():
                    found.add(f"{entry.name}/")
                elif suffix and entry.name.endswith(suffix):
                    found.add(entry.name)
    except (OSError, ValueError):
        pass
    return found
