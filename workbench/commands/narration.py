"""A run in words: its events as the lines that a person reads, one an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from workbench.commands.output import duration, figure, percent
from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Continued,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Noted,
    Paused,
    Resumed,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.recipe.plugins import loaded_plugins


@dataclass(frozen=True)
class Line:
    """A line to print. ``end`` is how the run came out, ``error`` what went wrong; a ``note`` is no result."""

    text: str
    kind: Literal["start", "check", "epoch", "note", "end", "error"]


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
                lines.append(Line(f"goes on after step {event.step:,}", "note"))
            case RunStarted():
                self.started = event
                lines.append(Line(_started(event), "start"))
            case _:
                lines += self._other(event)
        return lines

    def _other(self, event: Event) -> list[Line]:
        steps = f" of {self.started.steps:,}" if self.started else ""
        match event:
            case CheckFinished():
                return [Line(check_line(event), "check")]
            case Noted():
                return [Line(event.message, "note")]
            case Paused():
                return [Line(f"paused after step {event.step:,}{steps}", "note")]
            case Continued():
                return [Line("continues", "note")]
            case Finished():
                best = event.best_validation_accuracy
                also = f", best validation accuracy {percent(best)}" if best is not None else ""
                result = f"test accuracy {percent(event.test_accuracy)}, loss {figure(event.test_loss)}{also}"
                return [Line(f"finished: {result}; {event.step:,} steps in {duration(event.seconds)}", "end")]
            case Stopped():
                return [Line(f"stopped after step {event.step:,}{steps}; go on with: {self._resume()}", "end")]
            case Diverged():
                where = f" in {event.layer}" if event.layer else ""
                return [Line(f"diverged at step {event.step:,}{steps}: {event.what}{where}: {event.reason}", "error")]
            case Failed():
                again = f"; then go on with: {self._resume()}" if self.started else ""
                return [Line(f"failed: {event.error}{again}", "error")]
        return []

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


def short(number: float) -> str:
    """``3`` or ``2.5``."""
    return f"{round(number, 2):g}" if number < 1e5 else f"{number:,.0f}"


def _started(event: RunStarted) -> str:
    return (
        f"{event.recipe} on {event.device}, seed {event.seed}: {event.training_images:,} training images, "
        f"{len(event.classes)} classes, {event.parameters:,} parameters, "
        f"{short(event.steps / event.steps_per_epoch)} epochs of {event.steps_per_epoch:,} steps"
    )
