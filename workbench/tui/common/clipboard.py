"""Copying to the clipboard of the terminal that a person sits at, through SSH and tmux; what was copied is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import Any

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from workbench.filesystem import absolute
from workbench.runs.store.directory import RunDirectory
from workbench.tui.common.background import start_thread
from workbench.tui.common.screens import ReadingDialog
from workbench.tui.common.services import Settings
from workbench.tui.common.widgets import Text
from workbench.visible import OBEYED, visible

LIMIT = 74_000
"""Characters that terminals take in one OSC 52 sequence, after base64 and with room to spare: xterm's limit."""


def copy(app: App[Any], text: str, what: str) -> None:
    """Copy a text and show it: a terminal may refuse without a word. ``what``: "the recipe", for the title.

    What a terminal would obey where the text is pasted is copied as it is shown.
    """
    text = visible(text)
    send(app, text)
    app.push_screen(CopiedScreen(text, what, whole=len(text) * 4 / 3 < LIMIT))


def copy_command(app: App[Any], run: RunDirectory, settings: Settings, device: str) -> None:
    """Copy the command that trains a run's recipe again."""
    copy(app, rerun_command(run, settings, device), "the rerun command")


def rerun_command(run: RunDirectory, settings: Settings, device: str) -> str:
    """The command line that trains a run's recipe again, from any folder."""
    words = ["workbench", "run", str(absolute(run.recipe_file)), "--data-root", str(absolute(settings.data_root))]
    words += ["--runs", str(absolute(settings.runs))]
    words += [word for plugin in settings.plugins for word in ("--plugin", str(absolute(plugin)))]
    return " ".join(map(_word, words if device == "auto" else [*words, "--device", device]))


def _word(text: str) -> str:
    """A word of a shell's command line. One that a terminal would obey when it is pasted is written with escapes."""
    if not OBEYED.search(text):
        return shlex.quote(text)
    written = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{OBEYED.sub(_escape, written)}'"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])  # of a byte that is no UTF-8: Python keeps it as a lone surrogate
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def send(app: App[Any], text: str) -> None:
    """Hand a text to the terminal by OSC 52, and to tmux by its own command: it does not listen to its inmates."""
    text = visible(text)
    app.copy_to_clipboard(text)
    if "TMUX" in os.environ:
        start_thread("tmux clipboard", lambda: _to_tmux(text))


def _to_tmux(text: str) -> None:
    # -w: on to the clipboard of the terminal around it (tmux 3.2); without it at least tmux itself can paste.
    for arguments in (["load-buffer", "-w", "-"], ["load-buffer", "-"]):
        try:
            done = subprocess.run(["tmux", *arguments], input=text.encode(), capture_output=True, timeout=5)
        except (OSError, subprocess.SubprocessError):
            return
        if done.returncode == 0:
            return


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
