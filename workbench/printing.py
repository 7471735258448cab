"""The one way to standard output and error: what is not ours leaves us visible, see :mod:`workbench.visible`."""

from __future__ import annotations

import contextlib
import sys
from typing import TextIO

from workbench.visible import shortened, visible


def write(stream: TextIO, text: str, *, start: str = "", end: str = "\n") -> None:
    r"""Write a text. start, end: what the terminal shall obey, such as ``\r``. Raises OSError if nobody reads."""
    text = visible(text)
    try:
        stream.write(start + text + end)
    except UnicodeEncodeError:  # a terminal that has not all characters
        encoding = stream.encoding or "ascii"
        stream.write(start + text.encode(encoding, "backslashreplace").decode(encoding) + end)
    stream.flush()


def say(text: str = "", *, start: str = "", end: str = "\n") -> None:
    """A line of result."""
    write(sys.stdout, text, start=start, end=end)


def complain(text: str) -> None:
    """A line of diagnosis, cut where nobody would read on; lost where nobody can hear it."""
    with contextlib.suppress(OSError):
        write(sys.stderr, shortened(visible(text, keep="")))
