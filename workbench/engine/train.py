"""The training loop: every step from batch to update, and what is said in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from torch import Tensor

from workbench.control import Control
from workbench.engine.between_steps import BetweenSteps, run_started
from workbench.engine.build import Build, BuildError
from workbench.engine.compilation import Compiled, Compute, compiling
from workbench.engine.execution import Step, executed
from workbench.engine.guard import step_unless_nonfinite
from workbench.engine.observer import Observer
from workbench.engine.recorded_batches import batch_maker
from workbench.engine.saving import Saving
from workbench.engine.single_images import place, refusal, remedy
from workbench.engine.state import Checkpoints
from workbench.engine.train_state import TrainState, no_room
from workbench.events import Event, Resumed
from workbench.registered import no_hooks_fault
from workbench.step import Batch, Repeated, StepContext, as_written


def train(
    build: Build,
    control: Control,
    checkpoints: Checkpoints | None = None,
    resume: dict[str, Any] | None = None,
    *,
    observers: Iterable[Observer] = (),
    state: TrainState | None = None,
) -> Iterator[Event]:
    """Train a build to its end, or until it is asked to stop or diverges; yield what happens.

    checkpoints: where to save, or None to save nothing. resume: a saved state to go on from. observers: who looks on;
    they change no number. state: what will change, for who wants to see it; a new one if left out. Call it under
    :func:`workbench.engine.backend.backend`, in one thread from first to last event. Raises BuildError before the first
    step where a later one is bound to break.
    """
    state, observers = state or TrainState.of(build), tuple(observers)
    saving = Saving(state, checkpoints, observers)
    between = BetweenSteps(state, control, saving, observers)
    observing = [observer for observer in observers if type(observer).observe is not Observer.observe]
    state.looked_at = lambda context: any(observer.due(context) for observer in observing)
    step = executed(one_step(state, observing), state)

    try:
        for observer in observers:
            observer.begin(state, control)
        yield run_started(build)
        if resume is None:
            for observer in observers:
                yield from observer.before()
        else:
            saving.restore(resume)
            yield Resumed(step=state.step)
        if why := refusal(build):
            raise BuildError(f"{place(build)}: {why}; {remedy(build)}")

        build.model.train()
        state.settle()  # what the device still has to do for the building is no training time
        state.clock.start()
        with compiling(state):
            yield from _steps(state, step, between)
        if not state.over:
            yield from between.finish()
    finally:
        state.make_room = no_room  # it knows the recordings, which know the build: nothing of them would be freed


def _steps(state: TrainState, step: Step, between: BetweenSteps) -> Iterator[Event]:
    """All steps, with what is said between them; the training may be over before the last."""
    build, marks = state.build, state.phases
    made = batch_maker(state)
    after_step = tuple(build.hooks.after_step)
    for batch, context in batches(state, made):
        marks.phase("augment")
        images, targets = state.with_room(partial(build.training_inputs, batch, context, made))
        marks.phase("other")
        state.set_learning_rates(context)
        skip = step(images, targets, batch.labels, context)
        state.meter.saw(len(batch.labels))
        for function in after_step:
            function(context, skip)
        state.step += 1
        marks.phase("")
        yield from between.after_step()
        if state.over:
            return


def one_step(state: TrainState, observing: Iterable[Observer] = ()) -> Step:
    """One update of the weights, from the forward pass to gradients that are gone again.

    Nothing in it waits for the device or depends on the host: a graph may record it. observing: who sees the gradients.
    """
    build, guard, marks = state.build, state.guard, state.phases
    hooks, optimizer, scaler = build.hooks, build.optimizer, build.precision.scaler
    network, edits = Compiled(state), tuple(hooks.gradient_edits)
    update = hooks.optimizer.owns(step_unless_nonfinite)

    def forward_and_backward(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        marks.phase("forward")
        logits = build.forward(images, network)
        loss = build.criterion(logits, targets)
        marks.phase("backward")
        scaler.scale(build.objective(loss)).backward()  # type: ignore[no-untyped-call]
        marks.phase("other")
        return loss.detach(), logits.detach()

    compute: Compute = forward_and_backward
    for number, wrap in enumerate(hooks.gradient):
        compute = wrap(compute if number else no_hooks_fault(compute), build.model)
    compute = network.guarded(compute)

    def step(images: Tensor, targets: Tensor, labels: Tensor, context: StepContext) -> Tensor:
        guard.snapshot_buffers()
        loss, logits = compute(images, targets)
        state.updating = True
        marks.phase("optimizer")
        scaler.unscale_(optimizer)
        skip = guard.check_finite(loss, build.parameters)
        for edit in edits:
            edit(build.parameters)
        for observer in observing:
            if observer.due(context):
                observer.observe(context)
        update(optimizer, skip)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        marks.phase("other")
        state.meter.add(loss, logits, labels)
        return skip

    return step


def batches(state: TrainState, made: Repeated = as_written) -> Iterator[tuple[Batch, StepContext]]:
    """Every batch that is still to be trained on, with its moment; ``state.step`` says where to go on."""
    build = state.build
    while state.step < build.steps:
        epoch = state.context.epoch
        for start in build.hooks.epoch_start:
            start(epoch, build.model)
        for batch in build.pipeline.epoch(epoch, state.step % build.steps_per_epoch, state.phases, made):
            yield batch, state.context
            if state.step == build.steps:
                break
