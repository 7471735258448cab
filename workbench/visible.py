"""Text that is not ours, made harmless where it leaves us: what a terminal would obey is shown instead.

Names, messages and whatever else is read from files may hold sequences that clear a screen, write the clipboard or turn
the order of letters around. Torch-free, and nothing but the standard library.
"""

from __future__ import annotations

import re

_HOSTILE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters: C0, DEL and C1, whose \x9b and \x9d begin sequences as ESC does
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # the direction of letters
    "\u200b\u2028\u2029\u2060-\u2065\ufeff\ufff9-\ufffb"  # no width of their own, or a line of their own
    "\ud800-\udfff"  # no characters at all: bytes of a name that are not UTF-8
)
HOSTILE = re.compile(f"[{_HOSTILE}]")
"""What a terminal obeys, or what hides from a reader. Joiners stay: emoji and several scripts are written with them."""
OBEYED = re.compile(f"[\n\t{_HOSTILE}]")
"""The same, with what may stand in a text of several lines."""

MOST = 600
"""Characters of a message; what is longer is cut."""

_NAMES = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}


def visible(text: str, keep: str = "\n\t") -> str:
    r"""A text with what a terminal would obey written out: ``\x1b`` for an escape, ``\u202e`` for an override.

    keep: what stays as it is; "" for a text that has to stay on its line.
    """
    if not (OBEYED if keep != "\n\t" else HOSTILE).search(text):
        return text
    return OBEYED.sub(lambda found: found[0] if found[0] in keep else _written(found[0]), text)


def visible_places(text: str, keep: str = "\n\t") -> tuple[str, list[int]]:
    """The same, and for each place in the text, its end included, the place in what is shown."""
    parts = ["" if c in keep else _written(c) if OBEYED.match(c) else "" for c in text]
    places, place = [], 0
    for part in parts:
        places.append(place)
        place += len(part) or 1
    return visible(text, keep), [*places, place]


def shortened(text: str, most: int = MOST) -> str:
    """A message cut at a length, saying how much more there is."""
    # A little more than the limit costs a reader less than the note about it.
    return text if len(text) <= most + 40 else f"{text[:most]}… and {len(text) - most:,} characters more"


def in_quotes(text: str) -> str:
    r"""JSON or TOML whose strings hold nothing that a terminal would obey: the same values, written as ``\u001b``.

    Line breaks and tabs stay: they stand between values.
    """
    return HOSTILE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _written(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        code -= 0xDC00
    return _NAMES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
