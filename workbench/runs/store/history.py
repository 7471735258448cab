"""What the events of a run add up to: the one fold that commands, screens and comparisons share."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Continued,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    PhasesMeasured,
    Resumed,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.runs.errors import Tell
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import read_events
from workbench.runs.store.status import ENDED


class RunHistory:
    """What a run has said so far. Feed it only what counts: ``EventReader.read`` says when to begin anew.

    ended: the event that ended it; None while it is at work, or goes on. checks: the last result of each, by name.
    evaluations: in their order; evaluated: the same by split. checkpoints: how many were saved.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.started: RunStarted | None = None
        self.trained: Trained | None = None
        self.ended: Event | None = None
        self.phases: PhasesMeasured | None = None
        self.checks: dict[str, CheckFinished] = {}
        self.evaluations: list[Evaluated] = []
        self.evaluated: dict[str, list[Evaluated]] = {}
        self.paused = False
        self.checkpoints = 0
        self._of_training: set[str] = set()
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Take the next event. A Resumed withdraws nothing here: a new history takes all that still counts."""
        match event:
            case RunStarted():
                self.started = event
            case CheckFinished():
                if event.id:
                    self.checks.pop(event.name, None)  # said by an earlier version, which knew titles alone
                self.checks[event.key] = event
                if self.trained is not None:
                    self._of_training.add(event.key)
            case Trained():
                self.trained = event
            case Evaluated():
                self.evaluations.append(event)
                self.evaluated.setdefault(event.split, []).append(event)
            case PhasesMeasured():
                self.phases = event
            case CheckpointSaved():
                self.checkpoints += 1
            case Paused():
                self.paused = True
            case Continued() | Resumed():
                self.paused = False
                self.ended = None
            case Stopped() | Failed() | Finished() | Diverged():
                self.ended = event
            case _:
                pass

    @property
    def step(self) -> int:
        """Updates done, as far as is known."""
        return max(self.trained.step if self.trained else 0, getattr(self.ended, "step", 0))

    @property
    def steps(self) -> int:
        """Updates of the whole run; 0 while unknown."""
        return self.started.steps if self.started else 0

    @property
    def steps_per_epoch(self) -> int:
        """Updates of an epoch, at least 1."""
        return max(1, self.started.steps_per_epoch) if self.started else 1

    def latest(self, split: str) -> Evaluated | None:
        """The newest evaluation of a split."""
        found = self.evaluated.get(split)
        return found[-1] if found else None

    def best(self) -> Evaluated | None:
        """The earliest of the most accurate evaluations, of the validation split where there is one, else of the test
        split; None before there is any.
        """
        found = self.evaluated.get("validation") or self.evaluated.get("test") or []
        return max(found, key=lambda event: event.accuracy, default=None)

    def goes_on(self, state: str) -> bool:
        """Whether a run that ended in a state may end otherwise if it goes on: not where its own recipe ended it."""
        if state == "failed":
            return isinstance(self.ended, Failed) and self.ended.resumable and self.step > 0
        return state in ENDED - {"finished", "diverged"}

    def failing(self) -> list[CheckFinished]:
        """The checks of the training itself, during it and after, that fail at present."""
        return [check for name, check in self.checks.items() if name in self._of_training and check.verdict == "fail"]


def read_history(run: RunDirectory, tell: Tell = lambda line: None) -> RunHistory:
    """All that a run has said and that counts. tell: hears what of it cannot be read."""
    return RunHistory(read_events(run, tell))
