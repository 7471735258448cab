"""What can be wrong with a run directory, said in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.filesystem import ELSEWHERE, gone, not_written, why
from workbench.storage.atomic import write_bytes

Tell = Callable[[str], object]
"""Hears in one line what was left out."""


class RunError(Exception):
    """A run that cannot be read, written, controlled or trained; one line that says what, where, and what to do."""


class CannotWrite(RunError):
    """A file of a run that cannot be written: the disk is full, or gone."""


class RunNotFound(RunError):
    """No run, or more than one, goes by what was asked for."""


def cannot_read(path: Path, error: OSError) -> RunError:
    """The one line for a folder or a file of runs that cannot be read."""
    reason = why(error, path)
    return RunError(reason if reason == gone() else f"{path}: cannot be read: {reason}; {ELSEWHERE}")


def cannot_write(path: Path, error: OSError, needed: int | None = None) -> CannotWrite:
    """The one line for a file that could not be written. needed: the bytes for which there was no room."""
    return CannotWrite(not_written(path, error, needed))


def replace_text(path: Path, text: str, *, last_resort: bool = False) -> None:
    """Write a file of a run in one step. Raises CannotWrite. last_resort: see :func:`~workbench.storage.atomic`."""
    data = text.encode("utf-8")
    try:
        write_bytes(path, data, last_resort=last_resort)
    except OSError as error:
        raise cannot_write(path, error, len(data)) from error
