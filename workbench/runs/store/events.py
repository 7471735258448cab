"""What a run says, ``events.jsonl``: written line by line, read once or as it grows. A reader survives any bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench.events import Event, Resumed, from_json, to_json
from workbench.filesystem import NOT_THERE, dangling, why
from workbench.format import file_size
from workbench.runs.errors import RunError, Tell, cannot_write
from workbench.runs.store.directory import RunDirectory
from workbench.storage.regular import open_appending, open_regular

MOST = 1 << 30
"""Bytes that a file of lines never has more of: years of training."""

LONGEST = 1 << 22
"""Bytes that a line never has more of: a first event with the names of a hundred thousand classes."""

BLOCK = 1 << 20


class EventLog:
    """Appends events to a run's file, after cutting off what a killed writer left of its last line.

    Raises RunError where the file is none of ours, OSError where it cannot be opened.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.path = run.events_file
        self.descriptor = open_appending(self.path)
        self._torn = False
        try:
            if (size := os.fstat(self.descriptor).st_size) > MOST:
                what = f"it has {file_size(size)}, far more than any run writes"
                raise RunError(f"{self.path}: {what}; move it away, and the run goes on without its curves")
            _cut_torn_line(self.descriptor)
        except BaseException:
            self.close()
            raise

    def append(self, event: Event, *, flush: bool = False) -> None:
        """Write a line, and have it on the disk with ``flush``. Raises CannotWrite where the disk is full or gone."""
        line = to_json(event).encode() + b"\n"
        data = b"\n" + line if self._torn else line
        self._torn = True
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
            if flush:
                os.fsync(self.descriptor)
        except OSError as error:
            raise cannot_write(self.path, error, len(line)) from error
        self._torn = False

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)


def _cut_torn_line(file: int) -> None:
    """Drop what a killed writer left of its last line, so that the next event starts on a line of its own."""
    end = os.fstat(file).st_size
    kept = start = end
    while kept == start > 0:  # no line break so far: look further back
        start = max(0, kept - 65536)
        kept = start + os.pread(file, kept - start, start).rfind(b"\n") + 1
    if kept < end:
        os.ftruncate(file, kept)


class LineReader:
    """Reads a growing file of lines from where it last stopped; an unfinished last line waits until it is whole.

    left_out: lines too long to be any of ours. problem: why the file could not be read at the last call, one line; ""
    if it could, or if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.left_out = 0
        self.problem = ""
        self.path = path
        self._offset = 0
        self._endless = False  # in the middle of a line that is too long

    def read_new(self) -> list[bytes]:
        """The lines since the last call; none where there is no file. Costs one ``stat`` when there is nothing new."""
        self.problem = ""
        try:
            if os.stat(self.path).st_size <= self._offset:
                return []
            descriptor = open_regular(self.path)
        except OSError as error:
            if error.errno not in NOT_THERE or dangling(self.path):
                self.problem = self._because(error)
            return []
        try:
            return list(self._lines(descriptor))
        except OSError as error:
            self.problem = self._because(error)
            return []
        finally:
            os.close(descriptor)

    def _because(self, error: OSError) -> str:
        return f"{self.path}: cannot be read: {why(error, self.path)}"

    def _lines(self, descriptor: int) -> Iterator[bytes]:
        """The whole lines from the offset on, a block at a time: what is not a line of ours is not kept in memory."""
        size = os.fstat(descriptor).st_size
        if size > MOST:
            self.problem = f"{self.path}: cannot be read: it has {file_size(size)}, far more than any run writes"
            return
        rest, at = b"", self._offset
        while block := os.pread(descriptor, BLOCK, at):
            at += len(block)
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._offset += len(line) + 1
                if self._endless or len(line) > LONGEST:
                    self.left_out += 1
                    self._endless = False
                else:
                    yield line
            if len(rest) > LONGEST or self._endless:
                self._offset, self._endless, rest = self._offset + len(rest), True, b""


class EventReader:
    """Follows one run's events, with :meth:`read` for what counts or :meth:`read_new` for all that was said."""

    def __init__(self, run: RunDirectory) -> None:
        self._file = run.events_file
        self._begin()

    def _begin(self) -> None:
        self._lines = LineReader(self._file)
        self._unread = 0
        self._first = True

    @property
    def unread(self) -> int:
        """Lines so far that are no event: damaged, or of a kind that this version does not know."""
        return self._unread + self._lines.left_out

    @property
    def left_out(self) -> str:
        """How many lines could not be read so far, in one line; "" if all could."""
        lines = "1 line" if self.unread == 1 else f"{self.unread:,} lines"
        return f"{self._lines.path}: left out {lines} that could not be read" if self.unread else ""

    @property
    def blocked(self) -> str:
        """Why the run's events cannot be read, one line; "" if they can, or if there are none yet."""
        return self._lines.problem

    @property
    def problem(self) -> str:
        """What could not be read, in one line; "" if all could."""
        return self.blocked or self.left_out

    def read(self) -> tuple[list[Event], bool]:
        """What is new of what counts, and whether that is all, from the first event on.

        It is at the first call, and where a run went on from a checkpoint: what it had said beyond that is withdrawn.
        """
        anew, events = self._first, self.read_new()
        if any(isinstance(event, Resumed) for event in events):
            if not anew:
                self._begin()
                events = self.read_new()
            events, anew = what_counts(events), True
        return events, anew

    def read_new(self) -> list[Event]:
        """The events written since the last call, also those that a later one withdraws.

        A line that is still being written waits; others that are no event are left out.
        """
        self._first = False
        found = []
        for line in self._lines.read_new():
            event = from_json(line)
            if event is not None:
                found.append(event)
            elif line.strip():
                self._unread += 1
        return found


def read_events(run: RunDirectory, tell: Tell = lambda line: None) -> list[Event]:
    """Everything a run has said and not withdrawn. tell: hears why that cannot be read."""
    reader = EventReader(run)
    events, _ = reader.read()
    if reader.problem:
        tell(reader.problem)
    return events


def what_counts(events: Iterable[Event]) -> list[Event]:
    """The events without those that a later Resumed withdrew."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Resumed):
            kept = withdraw(kept, event.step)
        kept.append(event)
    return kept


def withdraw(events: Iterable[Event], resumed_step: int) -> list[Event]:
    """The events that still hold after a run went on from a checkpoint at a step: those beyond it happened in vain."""
    return [event for event in events if getattr(event, "step", -1) <= resumed_step]
