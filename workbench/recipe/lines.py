"""On which line of a TOML text a dotted path stands: tomllib keeps no positions."""

from __future__ import annotations

import re

# Each character belongs to one part of a pattern only, so that no line is gone over more than once.
_HEADER = re.compile(r"^\[\[?([^\[\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^([A-Za-z0-9_\-."' \t]+)=""")


class Lines:
    """An index of the lines of a text. Multi-line strings and lists may hide keys; the nearest table is named then."""

    def __init__(self, text: str) -> None:
        self._found: dict[str, int] = {}
        table = ""
        for number, line in enumerate(text.splitlines(), start=1):
            line = line.strip()
            if header := _HEADER.match(line):
                table = _clean(header[1])
                self._found.setdefault(table, number)
            elif key := _KEY.match(line):
                self._found.setdefault(f"{table}.{_clean(key[1])}" if table else _clean(key[1]), number)

    def find(self, path: str) -> int | None:
        """The line of a path, or of the closest thing that encloses it."""
        while path:
            if path in self._found:
                return self._found[path]
            inside = [line for known, line in self._found.items() if known.startswith(f"{path}.")]
            if inside:  # a table that only its own tables are written of
                return min(inside)
            path = path.rpartition(".")[0]
        return None


def _clean(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
