"""Names and messages that try to command the terminal, on every screen and in every dialog, byte for byte on a pty."""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content

from tests.hostile import EVIL, MARKUP, hostile_folder, not_ours
from tests.tui.conftest import AppFactory
from tests.tui.fakes import history, written
from workbench.recipe import Recipe
from workbench.runs.store.directory import RunDirectory
from workbench.tui.common.clipboard import rerun_command
from workbench.tui.common.services import Settings
from workbench.tui.common.widgets import cells
from workbench.tui.compat.terminal import VisibleLines, guard_content
from workbench.visible import HOSTILE

SESSION = Path(__file__).with_name("hostile_session.py")

OUR_CLIPBOARD = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")

WALK = (
    *("f", "ff", "e", "v", "+", "l", "x", "e", "\x1b"),  # Run; "e" are the results
    *("y", "\x1b"),
    *("3", "v", "v", "v", "c", "x"),
    *("4", "v", "m", "x", " ", "\x1b[B", " ", "b", "s", "S", "v", "v"),
    *("t", "\x1b", "n", "\x1b", "y", "\x1b", "d", "\x1b", "l", "\x1b"),
    *("1", "v", "v", "v", "d", "a", "f", "\x1b", "/evil", "\r", "\r", "\x1b", "/ZXZ", "\r", "\x1b[B", "\r", "\x1b"),
    *("o", "Z", "\x1b", "o", "broken", "\r", "\x1b", "S", "\x1b", "y", "\x1b", "D", "\x1b", "?", "\x1b"),
    *("\x10", "\x1b", "r", "2", "4", "\r"),
)
"""Keys that visit every screen, pane and dialog."""

DIALOGS = ("Copied", "Keys", "Open a recipe", "Save as", "Delete", "Tags", "Note")


class Session:
    """The screens over a hostile folder on a pseudo-terminal whose bytes are kept."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX") and not k.startswith("XDG_")}
        self.process = subprocess.Popen(
            [sys.executable, str(SESSION), str(folder)],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
            env={**kept, "HOME": str(folder), "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(slave)
        self.seen = b""

    def read(self, quiet: float, most: float = 20) -> None:
        """Take what comes, until nothing came for a while."""
        end = time.monotonic() + most
        while time.monotonic() < end and select.select([self.master], [], [], quiet)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                return

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + 60
        while text not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text):
            assert time.monotonic() < end and self.process.poll() is None, self.text[-3000:]
            self.read(0.1, most=0.3)

    @property
    def text(self) -> str:
        return self.seen.decode(errors="surrogateescape")

    def press(self, keys: str) -> None:
        for key in [keys] if keys.startswith("\x1b") else keys:
            os.write(self.master, key.encode())
            self.read(0.15, most=1.5)  # an escape alone needs a moment to be told from the beginning of a sequence


@pytest.fixture
def session(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    hostile_folder(tmp_path)
    found = Session(tmp_path, *request.param)
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()
    os.close(found.master)


@pytest.mark.slow
@pytest.mark.parametrize("session", [(160, 48), (80, 24)], ids=["160x48", "80x24"], indirect=True)
def test_every_screen_shows_it_and_obeys_nothing(session: Session) -> None:
    session.wait_for("ZXZpbA")
    for number, keys in enumerate(WALK):
        session.press(keys)
        assert session.process.poll() is None, f"it ended after {WALK[: number + 1]}: {session.text[-3000:]}"
    copied = [base64.b64decode(found).decode() for found in OUR_CLIPBOARD.findall(session.text)]
    assert len(copied) >= 2 and not any(map(HOSTILE.search, copied))
    assert not_ours(OUR_CLIPBOARD.sub("", session.text)) == []
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", session.text)
    assert {title for title in DIALOGS if title not in plain} == set()
    assert r"\x1b]52;c;ZXZpbA==\x07" in plain and "[@click=app.quit]" in plain


def test_content_is_measured_as_it_is_shown() -> None:
    guard_content()
    shown = Content.assemble(("\x1b[2J", "bold"), " and ", ("\x07", "red"), "\n\tend")
    assert shown.plain == "\\x1b[2J and \\x07\n\tend"
    assert [(s.start, s.end, str(s.style)) for s in shown.spans] == [(0, 7, "bold"), (12, 16, "red")]
    assert Content("\x1b").cell_length == 4
    assert Content.styled("a\x9bb", "bold").spans[0].end == 6
    assert Content("plain").plain == "plain"


def test_lines_drawn_cell_by_cell_keep_their_width() -> None:
    evil = [Segment("ab\x1b[2Jcdef"), Segment("   "), Segment("x", Style(link="https://example.org"))]
    shown = VisibleLines().apply(evil, Color(0, 0, 0))
    assert "".join(segment.text for segment in shown) == "ab\\x1b[2J   x"  # the end gives way
    assert not any(segment.style and segment.style.link for segment in shown)
    assert sum(segment.cell_length for segment in shown) == sum(segment.cell_length for segment in evil)
    plain = [Segment("plain")]
    assert VisibleLines().apply(plain, Color(0, 0, 0)) is plain


def test_cells_show_it() -> None:
    assert "".join(c for c, _ in cells([("a\x1b\nb", Style.null())], 12)) == r"a\x1b\nb    "


def test_a_shell_gets_the_command_of_a_hostile_folder_right(tmp_path: Path, recipe: Recipe) -> None:
    name = "it's \x1b[6n \x9b \\ \u202e\n" + os.fsdecode(b"\xff")
    run = written(tmp_path / name, recipe, history())
    command = rerun_command(run, Settings(tmp_path, tmp_path), "auto")
    assert not HOSTILE.search(command) and "\n" not in command
    bash = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, env={"LC_ALL": "C.UTF-8"})
    words = [os.fsdecode(word) for word in bash.stdout.split(b"\0")]
    assert words[2] == str(run.recipe_file.resolve())


async def test_markup_neither_styles_nor_raises(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    run: RunDirectory = written(tmp_path / "runs" / "[bold]a[@click=app.quit]b", recipe, history(), "failed")
    app = make_app(watch=run)
    async with app.run_test(size=(160, 48)) as pilot:
        app.notify(f"{EVIL}{MARKUP}" + "x" * 5000, title=MARKUP, timeout=3600)
        for keys in ("4", "space", "v", "d", "escape", "n", "escape", "2", "y", "escape"):
            await pilot.press(keys)
            await pilot.pause()
        (told,) = app._notifications
        assert not told.markup and len(told.message) < 700
