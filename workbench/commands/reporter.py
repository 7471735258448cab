"""A run in words: its events as the lines that a person reads, one an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from workbench.events import (
    SEVERITY,
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
from workbench.format import figure, percent, short
from workbench.recipe.plugins import loaded_plugins
from workbench.runs.store.history import RunHistory
from workbench.sentences import sentence

Kind = Literal["start", "check", "epoch", "note", "end", "error"]
KINDS: dict[type[Event], Kind] = {
    RunStarted: "start", Finished: "end", Stopped: "end", Diverged: "error", Failed: "error"
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line to print. ``end`` is how the run came out, ``error`` what went wrong; a ``note`` is no result.

    verdict: of a ``check`` that raises something.
    """

    text: str
    kind: Kind
    verdict: str = ""


class Reporter:
    """Turns one run's events into lines. ``name``: what resumes the run when given to ``run --resume``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.history = RunHistory()
        self.step = 0
        self._told = 0.0
        self._span = _Span()
        self._evaluated: list[Evaluated] = []
        self._quiet: list[CheckFinished] = []

    @property
    def started(self) -> RunStarted | None:
        """The run's first event, once it has been heard."""
        return self.history.started

    def take(self, event: Event) -> list[Line]:
        """The lines that an event completes."""
        lines = []
        if self._evaluated and not isinstance(event, Evaluated | CheckpointSaved):
            lines.append(self._epoch())
        quiet = isinstance(event, CheckFinished) and event.verdict in ("pass", "not judged")
        if self._quiet and not quiet:
            lines += self._checks()
        self.history.take(event)
        self.step = getattr(event, "step", self.step)
        match event:
            case CheckFinished() if quiet:
                self._quiet.append(event)
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
            case _:
                lines += self._other(event)
        return lines

    def _other(self, event: Event) -> list[Line]:
        if isinstance(event, CheckFinished):
            return [Line(check_line(event), "check", event.verdict)]
        said = sentence(event, self.started)
        if said is None or isinstance(event, CheckpointSaved):
            return []
        again = ""
        if isinstance(event, Stopped):
            again = f"; go on with: {self._resume()}"
        elif isinstance(event, Failed) and event.resumable and self.started:
            again = f"; then go on with: {self._resume()}"
        elif isinstance(event, Finished):
            again = "".join(f"; {words}" for words in self._not_passed())
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

    def _not_passed(self) -> list[str]:
        """How many checks failed or warned at last, with their names."""
        said = {"fail": "failed", "warn": "warned"}
        checks = self.history.checks.values()
        found = {v: [check.name for check in checks if check.verdict == v] for v in SEVERITY if v in said}
        return [f"{counted(len(names))} {said[v]}: {', '.join(names)}" for v, names in found.items() if names]

    def _checks(self) -> list[Line]:
        """One line for all checks that passed since the last one, and one for those that could judge nothing."""
        quiet, self._quiet = self._quiet, []
        passed = [check for check in quiet if check.verdict == "pass"]
        lacking = [check for check in quiet if check.verdict != "pass"]
        names, reasons = (", ".join(c.name for c in passed), "; ".join(f"{c.name}: {c.reason}" for c in lacking))
        lines = (
            [check_line(passed[0]) if len(passed) == 1 else f"{len(passed)} checks passed: {names}"] if passed else []
        )
        if lacking:
            single = check_line(lacking[0])
            lines.append(single if len(lacking) == 1 else f"{len(lacking)} checks not judged: {reasons}")
        return [Line(text, "check") for text in lines]

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


def check_line(check: CheckFinished, *, ids: bool = False) -> str:
    """One line for a check; reason and advice where it did not simply pass. One that was not judged begins with why.

    ids: say after its title what it is called in recipes and options, too, where that is not the same word.
    """
    figures = [f"expected {check.expected}"] if check.expected else []
    figures += [f"found {check.found}"] if check.found else []
    words = [", ".join(figures)] if figures else []
    if check.verdict != "pass":
        words = [*words, check.reason] if check.verdict != "not judged" else [check.reason, *words]
        words += [check.advice] if check.advice else []
    called = f" ({check.id})" if ids and check.id not in ("", check.name) else ""
    return f"check {check.name}{called}: {check.verdict}: {'; '.join(word for word in words if word)}"


def counted(number: int) -> str:
    """How many checks, in words."""
    return f"{number} check" if number == 1 else f"{number} checks"
