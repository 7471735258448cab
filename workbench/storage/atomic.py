"""Writing files that others read meanwhile: beside the old one, then renamed in one step, so that none sees half."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from workbench.filesystem import FULL
from workbench.storage.regular import open_regular


@contextlib.contextmanager
def written_aside(path: Path, *, flush: bool = False, partial: Path | None = None) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place when the block ends, and is removed if it fails.

    partial: that path, where those of killed processes must not add up; one of this thread's own if left out. flush:
    have file and name on the disk: what was there survives a machine that goes down meanwhile. Without it a crash of
    the machine, not of the process, may leave an empty file. Raises OSError.
    """
    partial = partial or path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        yield partial
        if flush:
            _flush(partial)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if flush:
        _flush(path.parent)


def write_bytes(path: Path, data: bytes, *, last_resort: bool = False) -> None:
    """Write a file in one step. Raises OSError with ``path`` as its file name.

    last_resort: write over the old content where there is no room for both; the new one must fit into the same blocks.
    """
    try:
        with written_aside(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        if last_resort and error.errno in FULL and _write_over(path, data):
            return
        raise OSError(error.errno, error.strerror, str(path)) from error


def _flush(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_over(path: Path, data: bytes) -> bool:
    """Put a text into the blocks that a file has already, in one write; False if that cannot be."""
    try:
        descriptor = open_regular(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        data = data.ljust(found.st_size)  # blanks: what is left of a longer text would be no JSON
        fits = len(data) <= max(found.st_size, 512 * found.st_blocks)
        return fits and os.pwrite(descriptor, data, 0) == len(data)
    except OSError:
        return False
    finally:
        os.close(descriptor)
