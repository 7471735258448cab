"""What may lie where a small file should: nothing of it may ever be read, or waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path


def pipe(path: Path) -> None:
    """A named pipe into which nobody writes: opening it the ordinary way waits for ever."""
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    """A socket; its path is short enough only from its own folder."""
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def endless(path: Path) -> None:
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    """A folder."""
    path.mkdir()


def huge(path: Path) -> None:
    """Ten gigabytes of nothing, which take no room."""
    with path.open("wb") as file:
        file.truncate(10 * 10**9)


def loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path)


ODD: dict[str, Callable[[Path], None]] = {
    "pipe": pipe, "socket": unix_socket, "device": endless, "folder": folder, "huge": huge, "loop": loop
}  # fmt: skip
