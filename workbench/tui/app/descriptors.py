"""The terminal belongs to the screen: what else writes there goes to a log, a traceback too when the screens break."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TextIO, cast

from workbench.storage.regular import open_appending


class TerminalFile:
    """The terminal as a file for drawing. Once it is lost, writing does nothing instead of failing.

    Textual's writer thread must go on taking from its queue, or the UI thread waits for ever to put something in.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.lost = False

    def write(self, text: str) -> int:
        """Write, unless the terminal is gone."""
        if not self.lost:
            try:
                return self._file.write(text)
            except (OSError, ValueError):
                self.lost = True
        return len(text)

    def flush(self) -> None:
        """Flush, unless the terminal is gone."""
        if not self.lost:
            try:
                self._file.flush()
            except (OSError, ValueError):
                self.lost = True

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it (still) is one."""
        return not self.lost and self._file.isatty()


class Descriptors:
    """A context in which 1 and 2 are a log, and ``sys.__stdout__`` and ``sys.__stderr__`` private ways to the terminal.

    C++ libraries and worker processes write to the descriptors past Python. Textual draws on ``sys.__stderr__``, which
    is standard output's terminal where the user has sent standard error elsewhere.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.terminal: TerminalFile | None = None
        self.out: IO[str] | None = None
        self.err: IO[str] | None = None
        self._kept: list[int] = []
        self._before: tuple[TextIO | None, TextIO | None] = (None, None)

    def __enter__(self) -> Self:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        self._before = (sys.__stdout__, sys.__stderr__)
        self._kept = [os.dup(1), os.dup(2)]
        drawn_on = 2 if os.isatty(2) else 1
        private = [os.fdopen(os.dup(fd), "w", encoding="utf-8", errors="replace") for fd in (1, drawn_on)]
        self.terminal = TerminalFile(cast(TextIO, private[1]))
        # TerminalFile has all that Textual uses of a file: write, flush, fileno, isatty.
        sys.__stdout__ = private[0]  # type: ignore[misc]
        sys.__stderr__ = self.terminal  # type: ignore[misc, assignment]
        self.out = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        self.err = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        self.point_back()
        return self

    def take_streams(self) -> None:
        """Python's own streams go to the log too.

        Textual captures them with files that have no descriptor, which breaks the start of worker processes, and that
        claim to be terminals, which makes libraries draw.
        """
        if self.out is not None and self.err is not None:
            sys.stdout, sys.stderr = cast(TextIO, self.out), cast(TextIO, self.err)

    @property
    def lost(self) -> bool:
        """Whether the terminal is gone."""
        return self.terminal is not None and self.terminal.lost

    def lose(self) -> None:
        """The terminal is gone: write nothing more to it."""
        if self.terminal is not None:
            self.terminal.lost = True

    def say(self, line: str) -> None:
        """A line for whoever sits at the terminal, while nothing is drawn there."""
        if self.terminal is not None:
            self.terminal.write(f"{line}\n")
            self.terminal.flush()

    def point_at(self, path: Path) -> None:
        """From now on, what is written to 1 and 2 goes to the end of this file."""
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._to(open_appending(path))

    def point_back(self) -> None:
        """Back to the workbench's own log; to nowhere if that cannot be written."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._to(open_appending(self.log))
        except OSError:
            self._to(os.open(os.devnull, os.O_WRONLY))

    def _to(self, fd: int) -> None:
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.__stdout__, sys.__stderr__ = self._before  # type: ignore[misc, assignment]
        for kept, fd in zip(self._kept, (1, 2), strict=True):
            if not self.lost:  # without a terminal the log stays: a training may still write
                os.dup2(kept, fd)
            os.close(kept)


TEXT_LIMIT = 300
"""Characters of an exception's own words that its line quotes."""


class ScreensBroke(Exception):
    """An exception ended the screens; its text is the line for a person."""


def keep_traceback(error: BaseException, log: Path) -> bool:
    """Append an exception's traceback to a log; False where that cannot be written."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')}  Python {platform.python_version()}\n{whole(error)}")
    except OSError:
        return False
    return True


def whole(error: BaseException) -> str:
    """The traceback of an exception and of those that it came from."""
    return "".join(traceback.format_exception(error))


def in_words(error: BaseException) -> str:
    """What failed and where, in one line: the exception, and the innermost line of the workbench or a plugin."""
    text = " ".join(str(error).split())
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]}…"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _installed(frame.filename)]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"


def _installed(filename: str) -> bool:
    """Whether a file belongs to Python or to a library, so that its line says nothing about whose mistake it is."""
    from sysconfig import get_paths

    if "workbench" in Path(filename).parts:
        return False
    paths = get_paths()
    libraries = (paths["stdlib"], paths["purelib"], paths["platlib"], sys.base_prefix)
    return filename.startswith(("<", *libraries))


def screens_broke(error: BaseException | None, log: Path) -> ScreensBroke:
    """The exception to end with, whose line says what failed and where the traceback is.

    error: None where the screens ended and nobody knows why. Where the log cannot be written, the traceback is printed.
    """
    if error is None:
        return ScreensBroke(f"the screens ended by themselves; the last lines of {log} may say why")
    if log.is_file():
        return ScreensBroke(f"the screens broke: {in_words(error)}; the whole traceback is in {log}")
    sys.stderr.write(whole(error))
    return ScreensBroke(f"the screens broke: {in_words(error)}")
