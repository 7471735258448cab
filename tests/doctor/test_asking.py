"""What terminals answer, and those that do not."""

from __future__ import annotations

import os
import pty
import select
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from workbench.doctor import asking
from workbench.doctor.asking import ask, read


def test_answers_of_a_good_terminal() -> None:
    heard = b"\x1b[?62;4;52c\x1b_Gi=31;OK\x1b\\"
    heard += b"\x1bP>|kitty(0.40)\x1b\\\x1bP1$r0;48:2::1:2:3m\x1b\\\x1b[?2026;2$y\x1b[?62;4;52c"
    found = read(heard, (0.01,))
    assert (found.attributes, found.name, found.kitty, found.truecolor, found.synchronised) == (
        (62, 4, 52), "kitty(0.40)", True, True, True,
    )  # fmt: skip


def test_answers_of_a_plain_terminal() -> None:
    found = read(b"\x1b[?6c\x1bP1$r0;48;5;16m\x1b\\\x1b[?2026;0$y", ())
    assert (found.attributes, found.kitty, found.truecolor, found.synchronised) == ((6,), False, False, False)


def test_a_hostile_name_is_no_name() -> None:
    assert read(b"\x1bP>|\x1b]52;c;AAAA\x07\x1b\\\x1b[?6c", ()).name == ""


@contextmanager
def terminal(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A pty whose other end answers what is written to it."""
    master, slave = pty.openpty()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            if select.select([master], [], [], 0.02)[0]:
                os.write(master, answer(os.read(master, 4096)))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield slave
    finally:
        over.set()
        thread.join()
        os.close(master)
        os.close(slave)


def test_a_terminal_is_asked_and_left_as_it_was() -> None:
    def answer(heard: bytes) -> bytes:
        time.sleep(0.02)
        return (b"\x1bP>|foot\x1b\\" if asking.NAME in heard else b"") + b"\x1b[?62c"

    with terminal(answer) as slave:
        before = termios.tcgetattr(slave)
        found = ask(slave, slave)
        assert termios.tcgetattr(slave) == before
        assert not select.select([slave], [], [], 0)[0]  # nothing is left to be taken for typed
    assert len(found.seconds) == asking.ROUNDS and min(found.seconds) >= 0.02
    assert (found.name, found.attributes) == ("foot", (62,))


def test_a_silent_terminal_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.2)
    began = time.monotonic()
    with terminal(lambda heard: b"") as slave:
        found = ask(slave, slave)
    assert found.seconds == () and found.attributes == ()
    assert time.monotonic() - began < 1.5


def test_someone_who_types_meanwhile_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.2)
    with terminal(lambda heard: b"ls -l\r") as slave:
        assert ask(slave, slave).attributes == ()
