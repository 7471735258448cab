"""What happens between two steps: figures, evaluations, checkpoints, and what the outside asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from workbench.checks.run_checks import RunChecks
from workbench.control import Control
from workbench.engine.build import Build, parameter_counts
from workbench.engine.cost import multiply_adds
from workbench.engine.evaluate import Hear, evaluate, nobody
from workbench.engine.guard import Guard
from workbench.engine.meter import Clock, Meter
from workbench.engine.replay import replay
from workbench.engine.state import Checkpoints, capture, fitting, restore
from workbench.events import (
    CheckpointSaved,
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
from workbench.profiling.instruments import Instruments


class Progress:
    """One run's guard, meter and clock, and the events that they give rise to. ``over``: the run ends early."""

    def __init__(
        self,
        build: Build,
        control: Control,
        checkpoints: Checkpoints | None,
        checks: RunChecks,
        instruments: Instruments | None,
    ) -> None:
        self.build = build
        self.control = control
        self.checkpoints = checkpoints
        self.checks = checks
        self.instruments = instruments
        self.guard = Guard(build.model, build.device, scaled=build.precision.scaled)
        self.meter = Meter(build.device, counts_correct=not build.mixes_targets)
        self.clock = Clock()
        self.over = False
        self.best: float | None = None
        self._saved_at: tuple[int, Path] | None = None
        self._notes: list[str] = []

    def note(self, message: str) -> None:
        """Have a sentence said between this step and the next."""
        self._notes.append(message)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """The training time stands still in it, once the device has done all that it was asked for."""
        self._settle()
        with self.clock.standing_still():
            yield

    def start(self) -> None:
        """The training time begins; what the device still has to do for the building of it does not count."""
        self._settle()
        self.clock.start()

    def _settle(self) -> None:
        if self.build.device.type == "cuda":
            torch.cuda.synchronize(self.build.device)

    def started(self) -> RunStarted:
        """The first event."""
        build = self.build
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
        )

    def restore(self, state: dict[str, Any]) -> None:
        """Put a saved state back, the loop's own part included."""
        restore(self.build, state)
        with fitting():
            self.guard.load_state_dict(state["guard"])
            self.guard.begin(self.build.step)
            self.meter.load_state_dict(state["meter"])
            self.checks.load_state_dict(state.get("checks", {}))
            self.clock = Clock(state["seconds"])
            self.best = state["best"]
        if self.checkpoints is not None:
            self._saved_at = self.build.step, self.checkpoints.folder

    def between_steps(self) -> Iterator[Event]:
        """Say and do what is due after ``build.step`` updates."""
        build, settings, control = self.build, self.build.recipe.train, self.control
        last = build.step == build.steps
        logs = last or build.step % settings.log_every == 0
        evaluates = not last and self._due(settings.eval_every)
        saves = control.take_checkpoint_request() or (not last and self._due(settings.checkpoint_every))
        asked = control.stop_requested or control.pause_requested
        while self._notes:
            yield Noted(message=self._notes.pop(0))
        if (logs or evaluates or saves or asked) and (bad := self.guard.bad_step()) is not None:
            self.over = True
            yield from self._diverged(bad)
            return
        if logs:
            trained = self._trained()
            yield trained
            yield from self.checks.during(trained)
        if evaluates or saves or asked:
            with self.clock.standing_still():
                yield from self._rest(evaluates=evaluates, saves=saves)
        if self.instruments is not None and not self.over:
            yield from self.instruments.after_step(build, self.clock, control)

    def _rest(self, *, evaluates: bool, saves: bool) -> Iterator[Event]:
        """What is no training: evaluate, save, wait, stop."""
        build, control = self.build, self.control
        last = build.step == build.steps
        if evaluates:
            yield from self._evaluations()
        if saves:
            yield from self._save("last")
        if control.pause_requested and not last:
            yield from self._pause()
        if control.stop_requested and not last:
            self.over = True
            yield from self._end_measuring()
            yield from self._save("last")
            yield from self.checks.stopped()
            yield Stopped(step=build.step)

    def finish(self) -> Iterator[Event]:
        """After the last step: the last evaluation, the last checkpoint, the result."""
        with self.pause():
            yield from self._end_measuring()
        for function in self.build.slots.functions("finish"):
            function(self.build.one_more_epoch)
        self._settle()
        seconds = self.clock.seconds
        results: dict[str, Evaluated] = {}
        for event in self._evaluations(self.checks.predictions.add):
            yield event
            if isinstance(event, Evaluated):
                results[event.split] = event
        yield from self.checks.after(results["test"].loss, results["test"].accuracy)
        yield from self._save("last")
        yield Finished(
            step=self.build.step,
            seconds=seconds,
            test_loss=results["test"].loss,
            test_accuracy=results["test"].accuracy,
            best_validation_accuracy=self.best,
        )

    def _end_measuring(self) -> Iterator[Event]:
        if self.instruments is not None:
            yield from self.instruments.finish()

    def _due(self, epochs: float) -> bool:
        return self.build.step % max(1, round(epochs * self.build.steps_per_epoch)) == 0

    def _trained(self) -> Trained:
        build, seconds = self.build, self.clock.seconds
        return Trained(
            step=build.step,
            epoch=build.step / build.steps_per_epoch,
            learning_rate=build.learning_rate(build.step - 1),
            seconds=seconds,
            skipped=self.guard.take_skipped(),
            **self.meter.fetch(seconds),
        )

    def _evaluations(self, hear: Hear = nobody) -> Iterator[Event]:
        """Evaluate every split; a better validation accuracy saves ``best.pt``. hear: hears the test's answers."""
        build, seconds = self.build, self.clock.seconds
        for split in build.evaluation:
            heard, size = hear if split == "test" else nobody, build.evaluation[split].batch_size
            loss, accuracy = evaluate(build, split, heard)
            if (now := build.evaluation[split].batch_size) < size:
                yield Noted(
                    message=f"out of memory at {size:,} images at a time in the evaluation; it takes {now:,} now"
                )
            epoch = build.step / build.steps_per_epoch
            yield Evaluated(step=build.step, epoch=epoch, split=split, loss=loss, accuracy=accuracy, seconds=seconds)
            if split == "validation" and (self.best is None or accuracy > self.best):
                self.best = accuracy
                yield from self._save("best")

    def _save(self, name: str) -> Iterator[CheckpointSaved]:
        if self.checkpoints is None or (
            name == "last" and self._saved_at == (self.build.step, self.checkpoints.folder)
        ):
            return
        own = {
            "guard": self.guard.state_dict(),
            "meter": self.meter.state_dict(),
            "checks": self.checks.state_dict(),
        }
        state = capture(self.build, seconds=self.clock.seconds, best=self.best, **own)
        path = self.checkpoints.save(name, state)
        if name == "last":
            self._saved_at = self.build.step, path.parent
        yield CheckpointSaved(step=self.build.step, file=path.name)

    def _pause(self) -> Iterator[Event]:
        yield Paused(step=self.build.step)
        while self.control.pause_requested and not self.control.stop_requested:
            self.control.wait(0.5)
            if self.control.take_checkpoint_request():
                yield from self._save("last")
        if not self.control.stop_requested:
            yield Continued(step=self.build.step)

    def _diverged(self, step: int) -> Iterator[Event]:
        scaled_out = self.build.precision.scaled
        finding = replay(self.build, step, scaled_out=scaled_out)
        yield from self.checks.diverged(finding)
        yield Diverged(
            step=step, what=finding.what, layer=finding.layer, indices=finding.indices, reason=finding.reason
        )
