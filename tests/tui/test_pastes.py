"""Pastes as a terminal brackets them: in one read or in many, with anything in them, and without an end."""

from __future__ import annotations

import time

import pytest
from textual import events
from textual.constants import ESCAPE_DELAY
from textual.message import Message

from workbench.tui.compat.terminal import PASTE_SECONDS, PasteParser

START, END = "\x1b[200~", "\x1b[201~"


class Link:
    """A parser with a clock of its own, and all that came out of it: keys by name, a paste as a tuple of one."""

    def __init__(self, *chords: str) -> None:
        self.now = 100.0
        self.heard: list[str | tuple[str]] = []
        self._parser = PasteParser(now=lambda: self.now, chords=chords)

    def send(self, *reads: str, apart: float = 0.001) -> Link:
        for data in reads:
            self.now += apart
            for message in self._parser.feed(data):
                self._keep(message)
        return self

    def wait(self, seconds: float) -> Link:
        """Nothing comes; the driver looks ten times a second."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            for message in self._parser.tick():
                self._keep(message)
        return self

    def _keep(self, message: Message) -> None:
        if isinstance(message, events.Key):
            self.heard.append(message.key)
        elif isinstance(message, events.Paste):
            self.heard.append((message.text,))


def test_keys_and_pastes_in_one_read_keep_their_order() -> None:
    link = Link().send(f"a{START}one{END}b{START}two{END}\r")
    assert link.heard == ["a", ("one",), "b", ("two",), "enter"]


@pytest.mark.parametrize("size", range(1, 8))
def test_a_read_may_end_anywhere(size: int) -> None:
    data = f"ab{START}some text{END}cd{START}more{END}"
    link = Link().send(*(data[at : at + size] for at in range(0, len(data), size)))
    assert link.heard == ["a", "b", ("some text",), "c", "d", ("more",)]


def test_what_is_pasted_is_text_whatever_it_looks_like() -> None:
    text = f"\x1b[A q\x03\r\n{START}é\t\x1b"
    assert Link().send(f"{START}{text}\x00{END}x").heard == [(text,), "x"]


def test_an_empty_paste_is_nothing() -> None:
    assert Link().send(f"{START}{END}x").heard == ["x"]


def test_without_an_end_it_is_all_that_came_within_a_second_and_keys_act_again() -> None:
    link = Link().send(f"{START}lost").wait(PASTE_SECONDS - 0.2)
    assert link.heard == []
    assert link.wait(0.3).heard == [("lost",)]
    assert link.send("x\r", "\x1b[A").heard == [("lost",), "x", "enter", "up"]


def test_an_end_of_which_a_part_was_lost_is_not_in_the_text() -> None:
    assert Link().send(f"{START}text\x1b[20").wait(1.2).heard == [("text",)]


def test_a_long_paste_over_a_slow_link_is_one_paste() -> None:
    link = Link().send(START)
    for number in range(5):
        link.wait(0.8).send(f"part {number}, long enough; ")
    assert link.send(END).heard == [("".join(f"part {number}, long enough; " for number in range(5)),)]


def test_keys_pressed_in_vain_do_not_put_off_its_end() -> None:
    link = Link().send(START)
    for _ in range(12):
        link.wait(0.1).send("x")
    assert link.heard[0] == ("x" * 9,) or link.heard[0] == ("x" * 10,)
    assert set(link.heard[1:]) == {"x"} and len(link.heard) >= 3


def test_the_start_of_a_paste_long_after_an_escape_is_text() -> None:
    link = Link().send("\x1b")
    time.sleep(2 * ESCAPE_DELAY)  # that of the base class has a clock of its own
    link.wait(0.1)
    assert link.heard == ["escape"]
    assert link.send("[200~x", apart=0.5).heard[-1] == "x"  # nothing waits for an end


@pytest.mark.parametrize("reads", [1, 2])
@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("\r", ["enter"]), ("S", ["S"]), ("q", ["q"]), ("1", ["1"]), (" ", ["space"]), ("/", ["slash"]), ("é", ["é"]),
        ("\x10", ["ctrl+p"]), ("\x1b\r", ["escape", "enter"]), ("\x1b[A", ["up"]), ("SOne", [*"SOne"]),
        (f"{START}b{END}", [("b",)]),
    ],
)  # fmt: skip
def test_escape_and_what_was_typed_after_it_are_two_keys(sent: str, keys: list[str | tuple[str]], reads: int) -> None:
    link = Link().send("x\x1b" + sent) if reads == 1 else Link().send("x\x1b", sent)
    assert link.heard == ["x", "escape", *keys]


def test_a_key_with_alt_that_means_something_is_one_key() -> None:
    assert Link().send("\x1bb\x1bf\x1b\x7f").heard == ["ctrl+left", "ctrl+right", "ctrl+w"]
    assert Link("alt+s").send("\x1bs\x1bq").heard == ["alt+s", "escape", "q"]
    assert Link().send("\x1b[A\x1bOS\x1b[1;3D").heard == ["up", "f4", "alt+left"]
