"""What becomes of a run whose directory goes away while it is being trained: deleted, renamed, or replaced."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from pathlib import Path

from workbench.runs.errors import RunError
from workbench.runs.store.directory import NAME, RunDirectory
from workbench.storage.file_cache import FileCache
from workbench.storage.regular import MIDDLING, read_bytes

KEPT = ("recipe.toml", "env.json", "user.toml", "continues.json")
"""Small files of which a copy is kept in memory: nobody could write them again."""

SETTLE_SECONDS = 0.2
"""Whoever deletes a directory deletes its files first."""

BLOCK = 1 << 20


class Anchor:
    """What a run's directory is while it is being trained, and whether that is still what lies at its path.

    events: the descriptor of its open events, through which they can be read whatever became of the file.
    """

    def __init__(self, run: RunDirectory, events: int) -> None:
        self.run = run
        self._events = events
        self._directory = os.open(run.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._files: FileCache[str, bytes] = FileCache()
        self._kept: dict[str, bytes] = {}
        self._remember()

    def gone(self) -> str:
        """What became of the directory, in words that follow "the run's directory"; "" if it is as it was.

        Only what is certain counts: a disk that does not answer, or numbers its files anew, is no directory gone.
        """
        try:
            if not os.path.samestat(os.stat(self.run.path), os.fstat(self._directory)):
                return f"was renamed to {now}, another is in its place" if (now := self.path_now()) else "was replaced"
        except (FileNotFoundError, NotADirectoryError):
            return f"was renamed to {now}" if (now := self.path_now()) else "was deleted"
        except OSError:
            return ""
        try:
            if not os.path.samestat(os.stat(self.run.events_file), os.fstat(self._events)):
                return "lost its events.jsonl, another is in its place"
        except FileNotFoundError:
            time.sleep(SETTLE_SECONDS)
            return "lost its events.jsonl" if self.run.path.is_dir() else self.gone()
        except OSError:
            return ""
        self._remember()
        return ""

    def path_now(self) -> Path | None:
        """Where the directory is now, if it is still anywhere and the system says so."""
        try:
            path = Path(os.readlink(f"/proc/self/fd/{self._directory}"))
            return path if os.path.samestat(os.stat(path), os.fstat(self._directory)) else None
        except OSError:
            return None

    def rescue(self) -> RunDirectory:
        """A new directory beside the old one, or where that cannot be, with all that can still be read.

        Raises RunError if it cannot be made anywhere.
        """
        reasons = []
        for root in (self.run.path.parent, _current_folder(), Path(tempfile.gettempdir()) / "workbench-runs"):
            if root is None:
                continue
            try:
                root.mkdir(parents=True, exist_ok=True)
                return self._write(RunDirectory(root / _name(self.run)))
            except OSError as error:
                reasons.append(f"{root}: {error.strerror or error}")
        raise RunError(f"nothing could be rescued: {'; '.join(reasons)}")

    def _write(self, rescued: RunDirectory) -> RunDirectory:
        rescued.path.mkdir()
        with rescued.events_file.open("wb") as file:
            at = 0
            while block := os.pread(self._events, BLOCK, at):
                file.write(block)
                at += len(block)
            file.flush()
            os.fsync(file.fileno())
        old = self.path_now()
        if old is not None:
            self._link_checkpoints(old, rescued)
        self._copy_plugins(old, rescued)
        for name, content in self._kept.items():
            (rescued.path / name).write_bytes(content)
        return rescued

    def _link_checkpoints(self, old: Path, rescued: RunDirectory) -> None:
        rescued.checkpoints.mkdir(exist_ok=True)
        for path in (old / "checkpoints").glob("*.pt"):
            with contextlib.suppress(OSError):  # those that are saved from now on are here in any case
                os.link(path, rescued.checkpoints / path.name)

    def _copy_plugins(self, old: Path | None, rescued: RunDirectory) -> None:
        for path in (old / "plugins").glob("*") if old is not None else ():
            with contextlib.suppress(OSError):
                rescued.plugins.mkdir(exist_ok=True)
                (rescued.plugins / path.name).write_bytes(read_bytes(path, MIDDLING))

    def _remember(self) -> None:
        """Keep copies of the small files, read again only where they changed."""
        for name in KEPT:
            with contextlib.suppress(OSError):
                self._kept[name] = self._content(self.run.path / name)

    def _content(self, path: Path) -> bytes:
        return self._files.get(path.name, (path,), lambda before: read_bytes(path, MIDDLING))

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._directory)


def _name(run: RunDirectory) -> str:
    """A name that no run has, and that tells which one it was."""
    match = NAME.match(run.name)
    stem = f"{match[1]}-{match[2]}" if match else run.name
    return f"{stem}-rescued-{secrets.token_hex(2)}"


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:
        return None
