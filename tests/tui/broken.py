"""Ways in which the screens can break, planted in a session of a test in a real terminal."""

from __future__ import annotations

import sys
import threading

from textual._xterm_parser import XTermParser

from workbench.tui.app.workbench import Workbench
from workbench.tui.compat.turns import TextualApp
from workbench.tui.compose.screen import ComposeScreen
from workbench.tui.run.screen import RunScreen

AT_KEY = "B"
"""The key that breaks what is planted in a key."""


def plant(where: str) -> None:
    """Break one thing: at the start, or while a training goes on."""

    def broken(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError(f"planted in {where}")

    ticks = 0

    def timer(self: Workbench) -> None:
        nonlocal ticks
        ticks += self.training is not None and self.training.run is not None
        if ticks > 2:
            broken()

    feed = XTermParser.feed

    def reading(self: XTermParser, data: str) -> object:
        if AT_KEY in data:
            broken()
        return feed(self, data)

    at_key = {
        "key": broken,
        "exit": lambda self: sys.exit(0),
        "panic": lambda self: self.panic("Textual's own way out, without an exception"),
        "thread": lambda self: threading.Thread(target=broken, name="speeds").start(),
    }
    if where in at_key:
        Workbench.action_slow_link = at_key[where]  # type: ignore[method-assign]
    elif where == "preview":
        command = (sys.executable, "-c", "raise SystemExit('planted in preview')")
        Workbench.__init__.__kwdefaults__["preview_command"] = command
    else:
        kind, name, made = {
            "start": (TextualApp, "on_load", broken),
            "compose": (ComposeScreen, "compose", broken),
            "mount": (RunScreen, "on_mount", broken),
            "timer": (Workbench, "_tick", timer),
            "unmount": (Workbench, "on_unmount", broken),
            "input": (XTermParser, "feed", reading),
        }[where]
        setattr(kind, name, made)
