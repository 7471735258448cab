"""What was read from files, kept for as long as they stay the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Hashable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

Stamp = tuple[int, int, int] | None
"""When a file was changed (ns), its length and its number; None where there is none."""


def stamp(path: str | Path) -> Stamp:
    """What tells one version of a file from the next."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class FileCache(Generic[Key, Value]):
    """Values made from files. most: so many are kept, the newest; all where it is left out."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._kept: dict[Key, tuple[tuple[Stamp, ...], Value]] = {}

    def get(self, key: Key, files: Sequence[str | Path], make: Callable[[Value | None], Value]) -> Value:
        """The value of a key: the same object as before, unless one of its files has changed; costs a ``stat`` a file.

        make: reads the files; it is given the value that they had before, None the first time.
        """
        stamps = tuple(map(stamp, files))
        known = self._kept.get(key)
        if known is not None and known[0] == stamps:
            return known[1]
        value = make(known[1] if known is not None else None)
        self._kept[key] = stamps, value
        if self._most is not None and len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return value

    def replace(self, key: Key, value: Value) -> Value:
        """Keep another value in the place of one that is kept, for the same files."""
        self._kept[key] = self._kept[key][0], value
        return value

    def keep_only(self, keys: Collection[Key]) -> None:
        """Forget all others."""
        for key in self._kept.keys() - set(keys):
            del self._kept[key]
