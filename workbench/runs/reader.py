"""Reading what a run has said, once or as it grows. A reader never needs the writer."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.events import Event, Resumed, from_json
from workbench.runs.directory import RunDirectory


class EventReader:
    """Follows one run's events. Withdrawn ones are still among them: see :func:`withdraw`."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self._offset = 0

    def read_new(self) -> list[Event]:
        """The events written since the last call. A line that is still being written waits; a torn one is left out.

        Costs one ``stat`` when there is nothing new.
        """
        try:
            if self.run.events_file.stat().st_size <= self._offset:
                return []
            with self.run.events_file.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = (from_json(line.decode(errors="replace")) for line in whole.splitlines())
        return [event for event in events if event is not None]


def read_events(run: RunDirectory) -> list[Event]:
    """Everything a run has said and not withdrawn."""
    return what_counts(EventReader(run).read_new())


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
