"""What each event makes of a run's status."""

from __future__ import annotations

import dataclasses
import math

from workbench.events import (
    Continued,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.runs.status import Status

STATES: dict[type[Event], str] = {
    Paused: "paused",
    Continued: "running",
    Finished: "finished",
    Stopped: "stopped",
    Diverged: "diverged",
    Failed: "failed",
}
"""Events that change a run's state; those that end it are flushed to the disk."""

ENDS = (Finished, Stopped, Diverged, Failed)


def after(status: Status, event: Event) -> Status:
    """The status that an event leads to."""
    change = dataclasses.replace
    if type(event) in STATES:
        status = change(status, state=STATES[type(event)])
    if isinstance(event, RunStarted):
        status = change(status, steps=event.steps, device=event.device, seed=event.seed)
    elif isinstance(event, Trained):
        status = change(
            status,
            epoch=event.epoch,
            loss=_finite(event.loss),
            accuracy=_finite(event.accuracy),
            images_per_second=_finite(event.images_per_second),
        )
    elif isinstance(event, Evaluated) and event.split == "test":
        status = change(status, test_accuracy=_finite(event.accuracy), test_loss=_finite(event.loss))
    elif isinstance(event, Evaluated):
        status = change(status, best=max(status.best or 0.0, event.accuracy))
    elif isinstance(event, Failed):
        status = change(status, message=event.error)
    elif isinstance(event, Diverged):
        status = change(status, message=event.reason)
    seconds = event.seconds if isinstance(event, Trained | Evaluated | Finished) else status.seconds
    return change(status, step=getattr(event, "step", status.step), seconds=_finite(seconds))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
