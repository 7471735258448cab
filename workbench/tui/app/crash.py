"""When the screens break: the whole traceback goes to the log, one line to whoever sits at the terminal."""

from __future__ import annotations

import platform
import sys
import time
import traceback
from pathlib import Path

TEXT_LIMIT = 300
"""Characters of an exception's own words that its line quotes."""


class ScreensBroke(Exception):
    """An exception ended the screens; its text is the line for a person."""


def keep(error: BaseException, log: Path) -> bool:
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
