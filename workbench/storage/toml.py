"""TOML texts that anybody may have written: none takes minutes to read."""

from __future__ import annotations

import re
import tomllib
from typing import Any

PARTS = 100
"""Parts that a dotted key has at most: reading takes as long as the square of them."""

_LONG_KEY = re.compile(rf"(?:^|[\[{{,])\s*+(?:[^\s.,=#\[\]{{}}]++[ \t]*+\.[ \t]*+){{{PARTS}}}", re.MULTILINE)


def loads(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ValueError, TOMLDecodeError with the line among them; RecursionError."""
    if found := _LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(
            f"a key of more than {PARTS} parts (at line {text.count(chr(10), 0, found.end()) + 1})"
        )
    return tomllib.loads(text)
