"""The frame that is drawn before anything is loaded, in a real terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.waiting import GIVE_UP
from workbench import first_frame
from workbench.arguments import first_word, opens_screens


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", True),
        ("--recipe v2", True),
        ("--recipe=v2 --device cpu", True),
        ("mine.toml", True),
        ("mine.toml --device cpu", True),
        ("--runs r recipes/mine.toml", True),
        ("mine.toml run", False),
        ("mine.toml other.toml", False),
        ("digits", False),
        ("watch", True),
        ("watch last", True),
        ("watch last --json", False),
        ("watch --help", False),
        ("--help", False),
        ("--version", False),
        ("--recipe", False),
        ("--device cpu run v2", False),
        ("runs", False),
    ],
)
def test_which_command_lines_open_the_screens(arguments: str, expected: bool) -> None:
    assert opens_screens(arguments.split()) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", None),
        ("mine.toml", 0),
        ("--device cpu --runs=r mine.toml --data-root d", 3),
        ("--debug run v2", 1),
        ("--device", None),
        ("--help mine.toml", None),
    ],
)
def test_where_a_command_or_a_recipe_stands(arguments: str, expected: int | None) -> None:
    assert first_word(arguments.split()) == expected


def test_only_the_screens_load_without_the_garbage_collector() -> None:
    code = "import atexit, gc, sys; from workbench import entry; atexit.register(lambda: print(gc.isenabled())); "
    command = [sys.executable, "-c", code + "sys.argv = ['workbench', 'techniques', 'sgd']; entry.main()"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.endswith("True\n")


def test_the_picture_fills_the_terminal() -> None:
    picture = first_frame.picture(80, 24)
    assert "1 Compose" in picture
    assert picture.count("\x1b[22;") == 2  # the panes end over two lines that stay empty
    assert "\x1b[21;80H" in picture


def session(folder: Path, *arguments: str, seconds: float = GIVE_UP) -> tuple[str, list[int], int]:
    """What a command line writes on a terminal, whether it echoes before and after, and its exit code."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    before = termios.tcgetattr(slave)[3] & termios.ECHO
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", *arguments], stdin=slave, stdout=slave, stderr=slave, cwd=folder,
        env={**os.environ, "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
        start_new_session=True,
    )  # fmt: skip
    seen, end = b"", time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 65536)
    while select.select([master], [], [], 0.1)[0]:
        seen += os.read(master, 65536)
    after = termios.tcgetattr(slave)[3] & termios.ECHO
    os.close(slave)
    os.close(master)
    return seen.decode(), [before, after], process.wait(GIVE_UP)


@pytest.mark.terminal
def test_an_error_is_said_on_the_ordinary_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text("rusn = 1\n")
    monkeypatch.setenv("WORKBENCH_SETTINGS", str(tmp_path / "settings.toml"))
    for arguments in ((), ("--recipe", "nothing"), ("watch",)):
        text, echo, code = session(tmp_path, *arguments)
        assert text.startswith(first_frame.ENTER)
        assert text.rindex("did you mean 'runs'?") > text.rindex(first_frame.LEAVE)
        assert (echo[0], code) == (echo[1], 2)
