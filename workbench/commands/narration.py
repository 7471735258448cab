"""A run in words: its events as the lines that a person reads, one an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Resumed,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.figures import figure, percent, short
from workbench.recipe.plugins import loaded_plugins
from workbench.sentences import sentence

Kind = Literal["start", "check", "epoch", "note", "end", "error"]
KINDS: dict[type[Event], Kind] = {
    RunStarted: "start", Finished: "end", Stopped: "end", Diverged: "error", Failed: "error"
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line to print. ``end`` is how the run came out, ``error`` what went wrong; a ``note`` is no result."""

    text: str
    kind: Kind


class Narrator:
    """Turns one run's events into lines. ``name``: what resumes the run when given to ``run --resume``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started: RunStarted | None = None
        self.step = 0
        self._told = 0.0
        self._span = _Span()
        self._evaluated: list[Evaluated] = []
        self._passed: list[CheckFinished] = []

    def take(self, event: Event) -> list[Line]:
        """The lines that an event completes."""
        lines = []
        if self._evaluated and not isinstance(event, Evaluated | CheckpointSaved):
            lines.append(self._epoch())
        passes = isinstance(event, CheckFinished) and event.verdict == "pass"
        if self._passed and not passes:
            lines.append(self._checks())
        self.step = getattr(event, "step", self.step)
        match event:
            case CheckFinished() if passes:
                self._passed.append(event)
            case Trained():
                lines += self._trained(event)
            case Evaluated():
                self._evaluated.append(event)
                if len(self._evaluated) == self._splits():
                    lines.append(self._epoch())
            case Resumed():
                self._told = self.step / self.started.steps_per_epoch if self.started else 0.0
                self._span = _Span(event.step)
                lines += self._other(event)
            case RunStarted():
                self.started = event
                lines += self._other(event)
            case _:
                lines += self._other(event)
        return lines

    def _other(self, event: Event) -> list[Line]:
        if isinstance(event, CheckFinished):
            return [Line(check_line(event), "check")]
        said = sentence(event, self.started)
        if said is None or isinstance(event, CheckpointSaved):
            return []
        again = ""
        if isinstance(event, Stopped):
            again = f"; go on with: {self._resume()}"
        elif isinstance(event, Failed) and self.started:
            again = f"; then go on with: {self._resume()}"
        return [Line(said.text + again, KINDS.get(type(event), "note"))]

    def _resume(self) -> str:
        plugins = "".join(f" --plugin {plugin.path}" for plugin in loaded_plugins())
        return f"workbench run --resume {self.name}{plugins}"

    def _trained(self, event: Trained) -> list[Line]:
        lines = []
        whole = math.ceil(event.epoch - 1e-9) - 1  # the last epoch that is over before this event
        if whole > self._told:  # and that ended without an evaluation
            lines.append(self._line(float(whole), [f"step {self._span.step:,}"]))
        self._span.add(event, self.started.batch_size if self.started else 1)
        return lines

    def _checks(self) -> Line:
        """One line for all checks that passed since the last one."""
        passed, self._passed = self._passed, []
        if len(passed) == 1:
            return Line(check_line(passed[0]), "check")
        return Line(f"{len(passed)} checks passed: {', '.join(check.name for check in passed)}", "check")

    def _epoch(self) -> Line:
        evaluated, self._evaluated = self._evaluated, []
        names = {"validation": "valid", "test": "test"}
        figures = [f"{names.get(e.split, e.split)} {percent(e.accuracy)}" for e in evaluated]
        return self._line(evaluated[0].epoch, [f"step {evaluated[0].step:,}"], figures)

    def _line(self, epoch: float, before: list[str], after: list[str] | None = None) -> Line:
        self._told = epoch
        span, self._span = self._span, _Span(self._span.step)
        total = f"/{short(self.started.steps / self.started.steps_per_epoch)}" if self.started else ""
        return Line("  ".join([f"epoch {short(epoch)}{total}", *before, *span.figures(), *(after or [])]), "epoch")

    def _splits(self) -> int:
        return 2 if self.started and self.started.validation_images else 1


class _Span:
    """Means over the steps since the last line."""

    def __init__(self, step: int = 0) -> None:
        self.step = step
        self._loss = self._accuracy = self._steps = self._images = self._seconds = 0.0

    def add(self, event: Trained, batch_size: int) -> None:
        steps = max(event.step - self.step, 0)
        self.step = event.step
        self._steps += steps
        self._loss += steps * event.loss
        self._accuracy += steps * event.accuracy
        if event.images_per_second > 0:
            self._images += steps * batch_size
            self._seconds += steps * batch_size / event.images_per_second

    def figures(self) -> list[str]:
        if not self._steps:
            return []
        loss = [f"loss {figure(self._loss / self._steps)}", f"train {percent(self._accuracy / self._steps)}"]
        return loss + ([f"{self._images / self._seconds:,.0f} img/s"] if self._seconds else [])


def check_line(check: CheckFinished) -> str:
    """One line for a check; reason and advice where it did not simply pass."""
    line = f"check {check.name}: {check.verdict}: expected {check.expected}, found {check.found}"
    rest = [text for text in (check.reason, check.advice) if text]
    return line if check.verdict == "pass" else "; ".join([line, *rest])
