"""Asking a terminal what it can do: questions go out on it, and its answers come in as if they were typed.

The last question of each round is one that every terminal answers (DA1); what has not come by then is not known.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Mapping

from workbench.doctor.terminal import NO_ANSWERS, Answers, Terminal, Tmux, variables
from workbench.graphics import ATTRIBUTES, GRAPHICS, WHO

DA1, KITTY, NAME = (question.encode("ascii") for question in (ATTRIBUTES, GRAPHICS, WHO))
COLOUR = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m"
SYNCHRONISED = b"\x1b[?2026$p"

PATIENCE = 1.5
"""Seconds that a terminal is waited for; one that was silent once is not asked again."""

ROUNDS = 5


def look(tmux: Tmux | None, environment: Mapping[str, str] = os.environ) -> Terminal:
    """What is known of this process's terminal. tmux: what was found out about the one around it."""
    if not sys.stdout.isatty():
        return Terminal(tty=False)
    size = shutil.get_terminal_size((0, 0))
    answers, asked = NO_ANSWERS, False
    with contextlib.suppress(OSError, termios.error, ValueError):
        if sys.stdin.isatty() and environment.get("TERM", "dumb") not in ("dumb", "linux", "unknown"):
            answers, asked = ask(sys.stdin.fileno(), sys.stdout.fileno()), True
    return Terminal(True, size.columns, size.lines, variables(environment), tmux, answers, asked)


def ask(reads: int, writes: int) -> Answers:
    """What a terminal answers on two descriptors, which are left as they were. Raises OSError, termios.error."""
    before = termios.tcgetattr(reads)
    try:
        tty.setcbreak(reads, termios.TCSAFLUSH)
        first, took = _round(reads, writes, DA1)
        if took is None:
            return NO_ANSWERS
        seconds = [took]
        for _ in range(ROUNDS - 1):
            _, took = _round(reads, writes, DA1)
            if took is None:
                break
            seconds.append(took)
        rest, _ = _round(reads, writes, KITTY + NAME + COLOUR + SYNCHRONISED + DA1)
        return read(first + rest, tuple(seconds))
    finally:
        # What came too late must not be taken for what a person types at the shell.
        termios.tcsetattr(reads, termios.TCSAFLUSH, before)


def _round(reads: int, writes: int, question: bytes) -> tuple[bytes, float | None]:
    """What came until DA1 was answered, and after how many seconds; None if it was not."""
    began, heard = time.perf_counter(), b""  # before the question: the answer may come before this thread goes on
    os.write(writes, question)
    while (left := began + PATIENCE - time.perf_counter()) > 0:
        if not select.select([reads], [], [], left)[0]:
            break
        heard += os.read(reads, 4096)
        if re.search(rb"\x1b\[\?[\d;]*c", heard):
            return heard, time.perf_counter() - began
        if len(heard) > 65536:
            break
    return heard, None


def read(heard: bytes, seconds: tuple[float, ...]) -> Answers:
    """The answers in what came."""
    attributes = re.search(rb"\x1b\[\?([\d;]*)c", heard)
    name = re.search(rb"\x1bP>\|([^\x1b]{1,80})\x1b\\", heard)
    colour = re.search(rb"\x1bP([01])\$r([\d;:]*)m?\x1b\\", heard)
    mode = re.search(rb"\x1b\[\?2026;(\d)\$y", heard)
    return Answers(
        seconds=seconds,
        attributes=tuple(int(part) for part in attributes[1].split(b";") if part) if attributes else (),
        name=name[1].decode(errors="replace") if name else "",
        kitty=bool(re.search(rb"\x1b_Gi=31;OK\x1b\\", heard)),
        truecolor=None
        if colour is None or colour[1] == b"0"
        else bool(re.search(rb"48[;:]2[;:].*1[;:]2[;:]3", colour[2])),
        synchronised=None if mode is None else mode[1] in (b"1", b"2"),
    )
