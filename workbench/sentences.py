"""What every event of a run says, in one sentence: the log of the Run screen and the command line read the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
)
from workbench.format import duration, figure, percent, short


@dataclass(frozen=True)
class Sentence:
    """A line about a run, and how much it matters."""

    text: str
    level: Literal["quiet", "note", "good", "warning", "error"] = "note"


def sentence(event: Event, started: RunStarted | None = None) -> Sentence | None:
    """What an event says; None for one that says nothing, such as a check that passed or could not judge, or a point of
    the curves.

    started: the run's first event, where it is known.
    """
    of = f" of {started.steps:,}" if started is not None else ""
    match event:
        case RunStarted():
            return Sentence(
                f"{event.recipe} on {event.device}, seed {event.seed}: {event.training_images:,} training images, "
                f"{len(event.classes)} classes, {event.parameters:,} parameters, "
                f"{short(event.steps / event.steps_per_epoch)} epochs of {event.steps_per_epoch:,} steps"
                + (f", {event.execution}" if event.execution else "")
            )
        case CheckFinished() if event.verdict in ("warn", "fail"):
            return Sentence(f"{event.name}: {event.reason}", "warning" if event.verdict == "warn" else "error")
        case Evaluated():
            accuracy = f"{event.split} accuracy {percent(event.accuracy)}"
            return Sentence(f"epoch {short(event.epoch)}: {accuracy}, loss {figure(event.loss)}")
        case CheckpointSaved():
            return Sentence(f"checkpoint after step {event.step:,}", "quiet")
        case Noted():
            return Sentence(event.message)
        case Paused():
            return Sentence(f"paused after step {event.step:,}{of}")
        case Continued():
            return Sentence("continues")
        case Resumed():
            return Sentence(f"goes on after step {event.step:,}")
        case Stopped():
            return Sentence(f"stopped after step {event.step:,}{of}", "warning")
        case Failed():
            return Sentence(f"failed: {event.error}", "error")
        case Diverged():
            where = f" in {event.layer}" if event.layer else ""
            return Sentence(f"diverged at step {event.step:,}{of}: {event.what}{where}: {event.reason}", "error")
        case Finished():
            best = event.best_validation_accuracy
            also = f", best validation accuracy {percent(best)}" if best is not None else ""
            result = f"test accuracy {percent(event.test_accuracy)}, loss {figure(event.test_loss)}{also}"
            return Sentence(f"finished: {result}; {event.step:,} steps in {duration(event.seconds)}", "good")
    return None
