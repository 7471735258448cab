"""What a run says: every event is a frozen dataclass and one JSON line, for screens, command line and run directory.

Steps count updates: the event of step 10 stands after the tenth update. Losses are nats, accuracies shares of 1, rates
images per second, ``seconds`` the training time so far (pauses and evaluations left out). A value that is not finite is
written as null and read back as nan.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter

from workbench.storage.values import Amount, Count, Figure, Timestamp

Verdict = Literal["pass", "warn", "fail", "not judged"]
"""``not judged``: there was too little to judge by. It is neither good nor bad, and never counts as passed."""

SEVERITY: tuple[Verdict, ...] = ("fail", "warn", "not judged", "pass")
"""The verdicts in the order in which they are shown, the worst first."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events; ``time`` is seconds since 1970."""

    kind: ClassVar[str]
    time: Timestamp = field(default_factory=time.time, compare=False)


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """The first event of a run: what will be trained.

    multiply_adds: of one image; None where they are not known. execution: how steps run, and why, as
    :class:`workbench.recipe.execution.Execution` puts it; "" in runs of before. learning_rates: (step, learning rate)
    at a few hundred steps from the first to the last, as the recipe plans them; () in runs of before.
    """

    kind: ClassVar[str] = "run_started"
    recipe: str
    seed: int
    device: str
    steps: Count
    steps_per_epoch: Count
    batch_size: Count
    training_images: Count
    validation_images: Count
    test_images: Count
    classes: tuple[str, ...]
    parameters: Count
    parameters_by_part: dict[str, Count]
    multiply_adds: Count | None = None
    execution: str = ""
    learning_rates: tuple[tuple[Count, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckFinished(Event):
    """A sanity check's result: what was expected and found, why that is right or wrong, and what to do about it.

    One that could judge nothing may have neither ``expected`` nor ``found``; its ``reason`` says what was missing.
    id: the check's name in a recipe; name: its title, under which people know it, and all that earlier versions wrote.
    """

    kind: ClassVar[str] = "check_finished"
    name: str
    verdict: Verdict
    expected: str
    found: str
    reason: str
    advice: str = ""
    id: str = ""

    @property
    def key(self) -> str:
        """What tells it from other checks."""
        return self.id or self.name


@dataclass(frozen=True, kw_only=True)
class Trained(Event):
    """Some steps were done. Loss and accuracy are means over the images of the steps since the last such event.

    ``accuracy`` is null where targets are mixed; ``learning_rate`` is that of the last step; ``skipped`` counts updates
    that the loss scaler left out.
    """

    kind: ClassVar[str] = "trained"
    step: Count
    epoch: Amount
    loss: Figure
    accuracy: Figure
    learning_rate: Figure
    images_per_second: Figure
    seconds: Amount
    skipped: Count = 0


@dataclass(frozen=True, kw_only=True)
class Evaluated(Event):
    """The network was evaluated on a whole split (``"validation"`` or ``"test"``)."""

    kind: ClassVar[str] = "evaluated"
    step: Count
    epoch: Amount
    split: str
    loss: Figure
    accuracy: Figure
    seconds: Amount


@dataclass(frozen=True, kw_only=True)
class PhasesMeasured(Event):
    """Where the time of some steps went: seconds of a mean step by phase, over ``samples`` steps, one in ``every``.

    Phases are those of :data:`workbench.profiling.report.PHASES`; what they leave of ``step_seconds`` is not explained.
    ``cost`` is the share of the training time that measuring took. ``recorded_seconds``: where the measured steps had
    to run as they are written, but the others are repeated from a recording, what one of the others takes.
    """

    kind: ClassVar[str] = "phases_measured"
    step: Count
    samples: Count
    every: Count
    step_seconds: Figure
    seconds: dict[str, Figure]
    cost: Figure
    recorded_seconds: Amount | None = None


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(Event):
    """A checkpoint is complete on disk; resuming continues after ``step``."""

    kind: ClassVar[str] = "checkpoint_saved"
    step: Count
    file: str


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """The run waits between two steps."""

    kind: ClassVar[str] = "paused"
    step: Count


@dataclass(frozen=True, kw_only=True)
class Continued(Event):
    """A paused run goes on."""

    kind: ClassVar[str] = "continued"
    step: Count


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    """A run goes on from its checkpoint: earlier events beyond ``step`` are withdrawn."""

    kind: ClassVar[str] = "resumed"
    step: Count


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """A sentence for the log: a file left out, a fallback taken."""

    kind: ClassVar[str] = "noted"
    message: str


@dataclass(frozen=True, kw_only=True)
class Diverged(Event):
    """Loss or gradients were no longer finite; weights and checkpoint are those before that step.

    ``what`` is "loss", "gradient" or "loss scale"; ``layer`` names the first module with a non-finite result,
    ``indices`` the batch's positions in the training split.
    """

    kind: ClassVar[str] = "diverged"
    step: Count
    what: str
    layer: str
    indices: tuple[Count, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """The run was asked to stop; it can be resumed from its checkpoint."""

    kind: ClassVar[str] = "stopped"
    step: Count


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The run ended with an error. resumable: whether going on from its checkpoint may end otherwise.

    What is wrong with the recipe stays wrong: such a run fails again at the same step. instead: where memory was too
    small, the change of the recipe to try, such as ``"data.batch_size=64"``.
    """

    kind: ClassVar[str] = "failed"
    error: str
    resumable: bool = True
    instead: str = ""


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """The run is complete; the headline is the last evaluation."""

    kind: ClassVar[str] = "finished"
    step: Count
    seconds: Amount
    test_loss: Figure
    test_accuracy: Figure
    best_validation_accuracy: Amount | None = None


KINDS: dict[str, type[Event]] = {
    kind.kind: kind
    for kind in (
        RunStarted, CheckFinished, Trained, Evaluated, PhasesMeasured, CheckpointSaved, Paused, Continued, Resumed,
        Noted, Diverged, Stopped, Failed, Finished,
    )
}  # fmt: skip


def to_json(event: Event) -> str:
    """One line of JSON, without a line break."""
    values = {"kind": event.kind, "time": round(event.time, 3)}
    for entry in dataclasses.fields(event):
        if entry.name != "time":
            values[entry.name] = _plain(getattr(event, entry.name))
    return json.dumps(values, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True)
class _Any:
    kind: str


_KIND = TypeAdapter(_Any)


@functools.cache
def _adapter(kind: str) -> TypeAdapter[Event]:
    return TypeAdapter(KINDS[kind])


def from_json(line: str | bytes) -> Event | None:
    """The event of a line, every value of its type; None for anything else, or a kind that this version knows not."""
    try:
        kind = _KIND.validate_json(line, strict=True).kind
        return _adapter(kind).validate_json(line, strict=True) if kind in KINDS else None
    except ValueError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return list(value) if isinstance(value, tuple) else value
