"""What happens between two steps: figures, evaluations, checkpoints, and what the outside asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from workbench.control import Control
from workbench.engine.build import Build, parameter_counts
from workbench.engine.cost import multiply_adds
from workbench.engine.evaluate import Hear, evaluate, nobody
from workbench.engine.observer import Observer
from workbench.engine.planned import planned
from workbench.engine.replay import replay
from workbench.engine.saving import Saving
from workbench.engine.train_state import TrainState
from workbench.events import (
    Continued,
    Diverged,
    Evaluated,
    Event,
    Finished,
    Noted,
    Paused,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.step import Batch


class BetweenSteps:
    """What one training says, and does for others than itself."""

    def __init__(self, state: TrainState, control: Control, saving: Saving, observers: Iterable[Observer]) -> None:
        self.state = state
        self.build = state.build
        self.control = control
        self.saving = saving
        self.observers = tuple(observers)

    def after_step(self) -> Iterator[Event]:
        """All that is due after ``state.step`` updates."""
        state, build, settings, control = self.state, self.build, self.build.recipe.train, self.control
        last = state.step == build.steps
        logs = last or state.step % settings.log_every == 0
        evaluates = not last and self._due(settings.eval_every)
        saves = control.take_checkpoint_request() or (not last and self._due(settings.checkpoint_every))
        asked = control.stop_requested or control.pause_requested
        while state.notes:
            yield Noted(message=state.notes.pop(0))
        if (logs or evaluates or saves or asked) and (bad := state.guard.bad_step()) is not None:
            state.over = True
            yield from self._diverged(bad)
            return
        if logs:
            yield from self._trained()
        if evaluates or saves or asked:
            with state.clock.standing_still():
                if evaluates:
                    yield from self._evaluations()
                if saves:
                    yield from self.saving.save("last")
                if control.pause_requested and not last:
                    yield from self._pause()
                if control.stop_requested and not last:
                    yield from self._stop()
        if not state.over:
            yield from self._tell(lambda observer: observer.after_step())

    def finish(self) -> Iterator[Event]:
        """After the last step: the last evaluation, the last checkpoint, the result."""
        state = self.state
        with state.pause():
            yield from self._tell(lambda observer: observer.steps_over())
        for function in self.build.hooks.finish:
            function(self.build.one_more_epoch)
        state.settle()
        seconds = state.clock.seconds
        results: dict[str, Evaluated] = {}
        for event in self._evaluations(self._answered):
            yield event
            if isinstance(event, Evaluated):
                results[event.split] = event
        test = results["test"]
        yield from self._tell(lambda observer: observer.evaluated(test))
        yield from self.saving.save("last")
        yield Finished(
            step=state.step,
            seconds=seconds,
            test_loss=test.loss,
            test_accuracy=test.accuracy,
            best_validation_accuracy=state.best,
        )

    def _due(self, epochs: float) -> bool:
        return self.state.step % max(1, round(epochs * self.build.steps_per_epoch)) == 0

    def _trained(self) -> Iterator[Event]:
        state, seconds = self.state, self.state.clock.seconds
        trained = Trained(
            step=state.step,
            epoch=state.epoch,
            learning_rate=self.build.learning_rate(state.step - 1),
            seconds=seconds,
            skipped=state.guard.take_skipped(),
            **state.meter.fetch(seconds),
        )
        yield trained
        yield from self._tell(lambda observer: observer.trained(trained))

    def _tell(self, what: Callable[[Observer], Iterable[Event]]) -> Iterator[Event]:
        """Call all who look on, in their order; what they say."""
        for observer in self.observers:
            yield from what(observer)

    def _answered(self, batch: Batch, logits: object) -> None:
        for observer in self.observers:
            observer.answered(batch, logits)  # type: ignore[arg-type]

    def _evaluations(self, hear: Hear = nobody) -> Iterator[Event]:
        """Evaluate every split; a better validation accuracy saves ``best.pt``. hear: hears the test's answers."""
        state, seconds = self.state, self.state.clock.seconds
        for split, images in self.build.evaluation.items():
            size = images.batch_size
            loss, accuracy = evaluate(self.build, split, hear if split == "test" else nobody, state.make_room)
            if (now := images.batch_size) < size:
                yield Noted(
                    message=f"out of memory at {size:,} images at a time in the evaluation; it takes {now:,} now"
                )
            yield Evaluated(
                step=state.step, epoch=state.epoch, split=split, loss=loss, accuracy=accuracy, seconds=seconds
            )
            if split == "validation" and (state.best is None or accuracy > state.best):
                state.best = accuracy
                yield from self.saving.save("best")

    def _pause(self) -> Iterator[Event]:
        control = self.control
        yield Paused(step=self.state.step)
        while control.pause_requested and not control.stop_requested:
            control.wait(0.5)
            if control.take_checkpoint_request():
                yield from self.saving.save("last")
        if not control.stop_requested:
            yield Continued(step=self.state.step)

    def _stop(self) -> Iterator[Event]:
        self.state.over = True
        yield from self._tell(lambda observer: observer.steps_over())
        yield from self.saving.save("last")
        yield from self._tell(lambda observer: observer.stopped())
        yield Stopped(step=self.state.step)

    def _diverged(self, step: int) -> Iterator[Event]:
        finding = replay(self.build, step, scaled_out=self.build.precision.scaled)
        yield from self._tell(lambda observer: observer.diverged(finding))
        yield Diverged(
            step=step, what=finding.what, layer=finding.layer, indices=finding.indices, reason=finding.reason
        )


def run_started(build: Build) -> RunStarted:
    """The first event of a training."""
    counts = parameter_counts(build.model)
    return RunStarted(
        recipe=build.recipe.name,
        seed=build.recipe.seed,
        device=str(build.device),
        steps=build.steps,
        steps_per_epoch=build.steps_per_epoch,
        batch_size=build.recipe.data.batch_size,
        training_images=len(build.training),
        validation_images=0 if build.validation is None else len(build.validation),
        test_images=len(build.dataset.test),
        classes=build.dataset.classes,
        parameters=sum(counts.values()),
        parameters_by_part=counts,
        multiply_adds=multiply_adds(build.model, build.dataset.shape),
        execution=str(build.execution),
        learning_rates=tuple(planned(build.learning_rate, build.steps, build.steps_per_epoch)),
    )
