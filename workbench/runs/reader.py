"""Reading what a run has said, once or as it grows. A reader never needs the writer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from workbench.events import Event, Resumed, from_json
from workbench.filesystem import NOT_THERE, dangling, why
from workbench.runs.directory import RunDirectory
from workbench.runs.folder import Tell


class LineReader:
    """Reads a growing file of lines from where it last stopped; an unfinished last line waits until it is whole.

    problem: why the file could not be read at the last call, one line; "" if it could, or if there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.problem = ""

    def read_new(self) -> list[bytes]:
        """The lines since the last call; none where there is no file. Costs one ``stat`` when there is nothing new."""
        self.problem = ""
        try:
            if self._path.stat().st_size <= self._offset:
                return []
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError as error:
            if error.errno not in NOT_THERE or dangling(self._path):
                self.problem = f"{self._path}: cannot be read: {why(error, self._path)}"
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()


class EventReader:
    """Follows one run's events. Withdrawn ones are still among them: see :func:`withdraw`."""

    def __init__(self, run: RunDirectory) -> None:
        self._lines = LineReader(run.events_file)

    @property
    def problem(self) -> str:
        """Why the run's events cannot be read, one line; "" if they can, or if there are none yet."""
        return self._lines.problem

    def read_new(self) -> list[Event]:
        """The events written since the last call. A line that is still being written waits; a torn one is left out."""
        events = (from_json(line.decode(errors="replace")) for line in self._lines.read_new())
        return [event for event in events if event is not None]


def read_events(run: RunDirectory, tell: Tell = lambda line: None) -> list[Event]:
    """Everything a run has said and not withdrawn. tell: hears why that cannot be read."""
    reader = EventReader(run)
    events = what_counts(reader.read_new())
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
