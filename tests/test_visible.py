"""What a terminal would obey is shown instead."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.storage.json_text import dumps
from workbench.visible import HOSTILE, OBEYED, in_quotes, shortened, visible, visible_places


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ü, 日本, 👩‍👩‍👧", "plain, ü, 日本, 👩‍👩‍👧"),
        ("\x1b]52;c;ZXZpbA==\x07", r"\x1b]52;c;ZXZpbA==\x07"),
        ("\x9b31m\x9d0;t\x9c\x85", r"\x9b31m\x9d0;t\x9c\x85"),
        ("\x00\x08\r\x7f", r"\x00\x08\r\x7f"),
        ("abc\u202edcba\u2066\u200f\u061c", r"abc\u202edcba\u2066\u200f\u061c"),
        ("a\u2028b\u200bc\ufeff", r"a\u2028b\u200bc\ufeff"),
        ("name-\udc9b31m-\ud800", r"name-\x9b31m-\ud800"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_known_answers(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_text_that_has_to_stay_on_its_line() -> None:
    assert visible("a\nb\tc", keep="") == r"a\nb\tc"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_nothing_that_is_obeyed_is_left(text: str) -> None:
    assert not HOSTILE.search(visible(text))
    assert not OBEYED.search(visible(text, keep=""))
    assert visible(visible(text)) == visible(text)
    visible(text).encode()  # lone surrogates are gone, too


@given(st.text(max_size=40))
def test_places_lead_to_where_a_character_is_shown(text: str) -> None:
    shown, places = visible_places(text)
    assert shown == visible(text) and len(places) == len(text) + 1 and places[-1] == len(shown)
    for number, character in enumerate(text):
        assert shown[places[number] : places[number + 1]] == visible(character)


@given(st.text())
def test_json_keeps_its_values(text: str) -> None:
    written = dumps({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert not HOSTILE.search(written)


def test_toml_keeps_its_values() -> None:
    import tomli_w

    values = {"a\u202e\x9b": "\x7f\x85\u2028 ü", "list": ["\ufeff"]}
    written = in_quotes(tomli_w.dumps(values))
    assert tomllib.loads(written) == values
    assert not HOSTILE.search(written)


def test_a_long_message_says_how_much_there_is_more() -> None:
    assert shortened("x" * 600) == "x" * 600
    assert shortened("x" * 5600) == "x" * 600 + "… and 5,000 characters more"
    assert shortened("x" * 610) == "x" * 610  # the note would be longer than what it stands for
