"""A measurement in a process of its own: ``workbench profile``, whose lines are heard as they come."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from textual.message import Message

from workbench.profiling.report import MeasuringProgress, Report, from_plain, to_plain
from workbench.tui.common.background import Child, start_thread

COMMAND = (sys.executable, "-P", "-m", "workbench", "profile")


@dataclass(frozen=True)
class ProfileEnded:
    """The process has ended. error: its last words in one line, "" where all went well."""

    error: str = ""


Heard = MeasuringProgress | Report | ProfileEnded


class ProfileChild(Child):
    """One measurement. ``hear(self, what)`` is called in a thread; the last that it hears is a ProfileEnded.

    recipe: as TOML. known: a report whose suggestion is tried, with nothing measured anew.
    """

    def __init__(
        self,
        recipe: str,
        hear: Callable[[ProfileChild, Heard], object],
        *,
        command: Sequence[str] = COMMAND,
        options: Sequence[str] = (),
        known: Report | None = None,
    ) -> None:
        super().__init__()
        self._recipe = recipe
        self._hear = hear
        self._command = list(command)
        self._options = list(options)
        self._known = known

    def start(self) -> None:
        """Begin; returns at once."""
        start_thread("profiling", self._work)

    def _work(self) -> None:
        try:
            with contextlib.ExitStack() as files:
                recipe = files.enter_context(_file(self._recipe, ".toml"))
                options = list(self._options)
                if self._known is not None:
                    options += ["--report", str(files.enter_context(_file(json.dumps(to_plain(self._known)), ".json")))]
                error = self._follow(recipe, options, files.enter_context(tempfile.TemporaryFile("w+")))
        except OSError as problem:
            error = f"the measurement cannot be started: {problem.strerror or problem}"
        self._hear(self, ProfileEnded("" if self.stopped else error))

    def _follow(self, file: Path, options: list[str], words: IO[str]) -> str:
        """Run the command to its end; returns what it said was wrong."""
        reported = False
        for line in self.lines([*self._command, str(file), "--json-lines", *options], words):
            file.unlink(missing_ok=True)  # who speaks has read it; this process may end before it can tidy up
            heard = read_line(line)
            reported |= isinstance(heard, Report)
            if heard is not None:
                self._hear(self, heard)
        code = self.wait()
        if code == 0 and reported:
            return ""
        words.seek(0)
        said = [text for text in words.read()[-4000:].splitlines() if text.strip()]
        return said[-1].strip().replace(str(file), "recipe") if said else f"the measurement ended with code {code}"


@contextlib.contextmanager
def _file(text: str, suffix: str) -> Iterator[Path]:
    """A temporary file with a text."""
    descriptor, name = tempfile.mkstemp(prefix="workbench-", suffix=suffix)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def read_line(line: str) -> MeasuringProgress | Report | None:
    """What a line of ``workbench profile --json-lines`` says; None for anything else."""
    try:
        values = json.loads(line)
        kinds = {"progress": MeasuringProgress, "report": Report}
        found = from_plain(kinds[values.pop("kind")], values)
        assert isinstance(found, MeasuringProgress | Report)
        return found
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class ProfileHeard(Message):
    """A measurement of the composed recipe said something."""

    def __init__(self, child: ProfileChild, heard: Heard) -> None:
        super().__init__()
        self.child = child
        self.heard = heard
