"""Whose a line of Python is: this package's, the user's, or a library's."""

from __future__ import annotations

import sysconfig
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
LOOP = str(PACKAGE / "engine" / "train.py")
"""What takes the steps."""

PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
LIBRARIES = tuple({str(Path(sysconfig.get_path(name)).resolve()) for name in PATHS})
"""Folders of what others wrote: a wait in there is named by the line that led to it."""


def is_ours(file: str) -> bool:
    """Whether a file, by its resolved path, belongs to this package, wherever that is installed."""
    return file.startswith(f"{PACKAGE}/")


def is_library(file: str) -> bool:
    """Whether a file, by its resolved path, is what others wrote."""
    return not is_ours(file) and file.startswith(LIBRARIES)
