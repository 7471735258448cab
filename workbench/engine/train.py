"""The training loop: every step from batch to update, and what is said in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from workbench.checks.run_checks import RunChecks
from workbench.control import Control
from workbench.engine.build import Build, BuildError, Network, no_room
from workbench.engine.compilation import Compiled, compiling
from workbench.engine.execution import Step, executed
from workbench.engine.guard import masked_step
from workbench.engine.progress import Progress
from workbench.engine.recorded_batches import batches_made
from workbench.engine.single_images import place, refusal, remedy
from workbench.engine.state import Checkpoints
from workbench.events import Event, Resumed
from workbench.profiling.instruments import Instruments
from workbench.step import Batch, Moment, Repeated, as_written


def train(
    build: Build,
    control: Control,
    checkpoints: Checkpoints | None = None,
    resume: dict[str, Any] | None = None,
    *,
    instruments: Instruments | None = None,
    checks: bool = True,
    folder: Path | None = None,
) -> Iterator[Event]:
    """Train a build to its end, or until it is asked to stop or diverges; yield what happens.

    checkpoints: where to save, or None to save nothing. resume: a saved state to go on from. instruments: what may be
    asked to measure, or None for nothing. checks: whether to check before, during and after; they change no number.
    folder: the run's directory, for what checks leave there. Call it under
    :func:`workbench.engine.backend.backend`, in one thread from first to last event. Raises BuildError before the first
    step where a later one is bound to break.
    """
    run = Progress(build, control, checkpoints, RunChecks(build, folder, on=checks), instruments)
    step = executed(update(build, run), build, run.note, run.pause)

    try:
        yield run.started()
        if resume is None:
            yield from run.checks.before()
        else:
            run.restore(resume)
            yield Resumed(step=build.step)
        if why := refusal(build):
            raise BuildError(f"{place(build)}: {why}; {remedy(build)}")

        build.model.train()
        run.start()
        with compiling(build, run.note, run.pause):
            yield from _steps(build, run, step)
        if not run.over:
            yield from run.finish()
    finally:
        build.make_room = no_room  # it knows the recordings, which know the build: nothing of them would be freed


def _steps(build: Build, run: Progress, step: Step) -> Iterator[Event]:
    """All steps, with what is said between them; the run may be over before the last."""
    marks, after_step = build.marks, build.slots.functions("after step")
    made = batches_made(build, run.note)
    for batch, moment in batches(build, made):
        marks.at("augment")
        images, targets = build.with_room(partial(build.prepare, batch, moment, made))
        marks.at("other")
        build.set_learning_rates(moment)
        skip = step(images, targets, batch.labels, moment)
        run.meter.saw(len(batch.labels))
        for function in after_step:
            function(moment, skip)
        build.step += 1
        marks.at("")
        yield from run.between_steps()
        if run.over:
            return


def update(build: Build, run: Progress) -> Step:
    """One update of the weights. Nothing in it waits for the device or depends on the host: a graph may record it."""
    optimizer, scaler, marks = build.optimizer, build.precision.scaler, build.marks
    edits, looks = build.slots.functions("gradient edits"), build.slots.functions("look")
    network = Compiled(build, run.note)
    compute = network.guarded(forward_and_backward(build, network))

    def step(images: Tensor, targets: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        run.guard.remember()
        loss, logits = compute(images, targets)
        build.updating = True
        marks.at("optimizer")
        scaler.unscale_(optimizer)
        skip = run.guard.inspect(loss, build.parameters)
        for edit in edits:
            edit(build.parameters)
        for look in looks:
            look(moment)
        masked_step(optimizer, skip)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        marks.at("other")
        run.meter.add(loss, logits, labels)
        return skip

    return step


def batches(build: Build, made: Repeated = as_written) -> Iterator[tuple[Batch, Moment]]:
    """Every batch that is still to be trained on, with its moment; ``build.step`` says where to go on."""
    while build.step < build.steps:
        epoch = build.moment(build.step).epoch
        for start in build.slots.functions("epoch start"):
            start(epoch)
        for batch in build.pipeline.epoch(epoch, build.step % build.steps_per_epoch, build.marks, made):
            yield batch, build.moment(build.step)
            if build.step == build.steps:
                break


def forward_and_backward(build: Build, model: Network) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """``(images, targets)`` to detached loss and logits, with the scaled gradients left in the parameters."""

    def compute(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        build.marks.at("forward")
        logits = build.forward(images, model)
        loss = build.criterion(logits, targets)
        build.marks.at("backward")
        build.precision.scaler.scale(build.objective(loss)).backward()  # type: ignore[no-untyped-call]
        build.marks.at("other")
        return loss.detach(), logits.detach()

    for wrap in build.slots.functions("gradient"):
        compute = wrap(compute)
    return compute
