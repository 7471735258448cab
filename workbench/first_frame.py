"""The frame of the screens, drawn before anything large is loaded: loading takes about a second, drawing nothing.

Only the standard library, and little of it. The terminal stops echoing meanwhile, so that keys that are pressed early
arrive at the screens instead of on the picture.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import termios
from typing import Any

TABS = "workbench  1 Compose  2 Run  3 Profile  4 Runs"
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"

_before: list[Any] | None = None
_shown = False


def draw() -> None:
    """Draw the frame, if standard input and output are a terminal with room for it."""
    global _before, _shown
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        return
    try:
        width, height = os.get_terminal_size(1)
        _before = termios.tcgetattr(0)
        quiet = termios.tcgetattr(0)
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(0, termios.TCSANOW, quiet)
        atexit.register(remove)
        if width >= 60 and height >= 20 and os.environ.get("TERM", "dumb") != "dumb":
            _shown = True
            sys.stdout.write(ENTER + picture(width, height))
            sys.stdout.flush()
    except (OSError, ValueError, termios.error):
        return


def picture(width: int, height: int) -> str:
    """Tabs and two empty panes in the terminal's own colours."""
    left = min(40, width // 2)
    rows = [f"\x1b[1;1H\x1b[2J {TABS}"]
    utf8 = "UTF" in (sys.stdout.encoding or "").upper()
    corners, line, side = ("╭╮╰╯", "─", "│") if utf8 else ("++++", "-", "|")
    for start, cells in ((1, left), (left + 1, width - left)):
        inner = cells - 2
        rows.append(f"\x1b[2;{start}H{corners[0]}{line * inner}{corners[1]}")
        rows += [f"\x1b[{row};{start}H{side}\x1b[{row};{start + cells - 1}H{side}" for row in range(3, height - 2)]
        rows.append(f"\x1b[{height - 2};{start}H{corners[2]}{line * inner}{corners[3]}")
    return "\x1b[2m" + "".join(rows) + "\x1b[0m"


def hand_over() -> None:
    """The screens draw from now on; they leave the picture themselves, and :func:`restore` follows at their end."""
    global _shown
    _shown = False


def remove() -> None:
    """Back to the terminal as it was, if the screens never came."""
    global _shown
    if _shown:
        _shown = False
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
    restore()


def restore() -> None:
    """Let the terminal echo again, if it did before."""
    global _before
    if _before is not None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSANOW, _before)
        _before = None
