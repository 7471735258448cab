"""A plugin that replaces training by a fake, so that tests of the command line need neither torch nor patience.

FAKE_STEP: seconds a step. FAKE_END: ``diverged`` or ``failed`` for another end than ``finished``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import workbench.commands.training as training
from workbench.control import Control
from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Noted,
    Resumed,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.runs.store.directory import RunDirectory
from workbench.runs.training.writer import RunWriter

STEPS, STEPS_PER_EPOCH = 20, 5


def execute(
    run: RunDirectory,
    *,
    device: str = "auto",
    data_root: Path | None = None,
    resume: bool = False,
    control: Control | None = None,
    on_event: Callable[[Event], None] | None = None,
    checks: bool = True,
) -> str:
    """Like the real one, without training."""
    control = control or Control()
    saved = run.checkpoints / "last.pt"
    with RunWriter(run, control) as writer:

        def say(event: Event) -> None:
            writer.write(event)
            if on_event is not None:
                on_event(event)

        step = int(saved.read_text()) if resume and saved.exists() else 0
        say(started())
        if resume:
            say(Resumed(step=step))
        say(CheckFinished(name="input statistics", verdict="pass", expected="0, 1", found="0, 1", reason="fine"))
        say(Noted(message="two files were left out"))
        print("a library's chatter", flush=True)
        os.write(2, b"a C++ warning\n")
        while step < STEPS:
            time.sleep(float(os.environ.get("FAKE_STEP", "0")))
            step += 1
            epoch = step / STEPS_PER_EPOCH
            say(trained(step))
            if step == 12 and (end := os.environ.get("FAKE_END")):
                say(Failed(error="out of memory") if end == "failed" else diverged(step))
                return end
            if step % STEPS_PER_EPOCH == 0:
                say(Evaluated(step=step, epoch=epoch, split="test", loss=1 / step, accuracy=0.9, seconds=step))
            if control.take_checkpoint_request():
                say(CheckpointSaved(step=step, file="last.pt"))
            if control.stop_requested:
                run.checkpoints.mkdir(exist_ok=True)
                saved.write_text(str(step))
                say(CheckpointSaved(step=step, file="last.pt"))
                say(Stopped(step=step))
                return "stopped"
        say(Finished(step=step, seconds=12.0, test_loss=0.05, test_accuracy=0.9))
    return "finished"


def started() -> RunStarted:
    """The first event."""
    return RunStarted(
        recipe="small",
        seed=3,
        device="cpu",
        steps=STEPS,
        steps_per_epoch=STEPS_PER_EPOCH,
        batch_size=64,
        training_images=320,
        validation_images=0,
        test_images=100,
        classes=("a", "b"),
        parameters=1234,
        parameters_by_part={"all": 1234},
    )


def trained(step: int) -> Trained:
    """Figures for a step."""
    return Trained(
        step=step,
        epoch=step / STEPS_PER_EPOCH,
        loss=1 / step,
        accuracy=0.8,
        learning_rate=0.1,
        images_per_second=640.0,
        seconds=step / 10,
    )


def diverged(step: int) -> Diverged:
    """A divergence."""
    return Diverged(step=step, what="loss", layer="block1", indices=(1, 2), reason="the loss is inf")


if __name__.startswith("workbench_plugin_"):  # not where a test imports it
    training.execute = execute
