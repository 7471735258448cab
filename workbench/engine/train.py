"""The training loop: every step from batch to update, and what is said in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from workbench.checks.preflight import preflight
from workbench.control import Control
from workbench.engine.build import Build
from workbench.engine.guard import masked_step
from workbench.engine.progress import Progress
from workbench.engine.state import Checkpoints
from workbench.events import Event, Resumed
from workbench.profiling.instruments import Instruments
from workbench.step import Batch, Moment


def train(
    build: Build,
    control: Control,
    checkpoints: Checkpoints | None = None,
    resume: dict[str, Any] | None = None,
    instruments: Instruments | None = None,
) -> Iterator[Event]:
    """Train a build to its end, or until it is asked to stop or diverges; yield what happens.

    checkpoints: where to save, or None to save nothing. resume: a saved state to go on from. instruments: what may be
    asked to measure, or None for nothing. Call it under :func:`workbench.engine.backend.backend`, in one thread from
    first to last event.
    """
    optimizer, scaler, slots, marks = build.optimizer, build.precision.scaler, build.slots, build.marks
    edits, after_step = slots.functions("gradient edits"), slots.functions("after step")
    compute = forward_and_backward(build)
    run = Progress(build, control, checkpoints, instruments)

    yield run.started()
    if resume is None:
        yield from preflight(build)
    else:
        run.restore(resume)
        yield Resumed(step=build.step)

    build.model.train()
    run.clock.start()
    for batch, moment in batches(build):
        marks.at("augment")
        images, targets = build.prepare(batch, moment)
        marks.at("other")
        build.set_learning_rates(moment)
        run.guard.remember()
        loss, logits = compute(images, targets)
        marks.at("optimizer")
        scaler.unscale_(optimizer)
        skip = run.guard.inspect(build.step, loss, build.parameters)
        for edit in edits:
            edit(build.parameters)
        masked_step(optimizer, skip)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        marks.at("other")
        for function in after_step:
            function(moment, skip)
        run.meter.add(loss, logits, batch.labels)
        build.step += 1
        marks.at("")
        yield from run.between_steps()
        if run.over:
            return
    yield from run.finish()


def batches(build: Build) -> Iterator[tuple[Batch, Moment]]:
    """Every batch that is still to be trained on, with its moment; ``build.step`` says where to go on."""
    while build.step < build.steps:
        epoch = build.moment(build.step).epoch
        for start in build.slots.functions("epoch start"):
            start(epoch)
        for batch in build.pipeline.epoch(epoch, skip=build.step % build.steps_per_epoch, marks=build.marks):
            yield batch, build.moment(build.step)
            if build.step == build.steps:
                break


def forward_and_backward(build: Build) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """``(images, targets)`` to detached loss and logits, with the scaled gradients left in the parameters."""

    def compute(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        build.marks.at("forward")
        logits = build.forward(images)
        loss = build.criterion(logits, targets)
        build.marks.at("backward")
        build.precision.scaler.scale(build.objective(loss)).backward()  # type: ignore[no-untyped-call]
        build.marks.at("other")
        return loss.detach(), logits.detach()

    for wrap in build.slots.functions("gradient"):
        compute = wrap(compute)
    return compute
