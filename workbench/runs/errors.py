"""What can be wrong with a run directory, said in one line."""

from __future__ import annotations


class RunError(Exception):
    """A run that cannot be read, written, controlled or trained; one line that says what, where, and what to do."""


class CannotWrite(RunError):
    """A file of a run that cannot be written: the disk is full, or gone."""


class RunNotFound(RunError):
    """No run, or more than one, goes by what was asked for."""
