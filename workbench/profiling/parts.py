"""The parts of a training that are measured alone, each on a copy: its loop, its batches, its network."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from workbench.control import Control
from workbench.data.loader import LoaderPipeline
from workbench.data.pipeline import Pipeline
from workbench.engine.build import Build
from workbench.engine.recorded_batches import batch_maker
from workbench.engine.train import train
from workbench.engine.train_state import TrainState
from workbench.events import Diverged, Event, Noted, PhasesMeasured
from workbench.profiling.instruments import INSTRUMENTS, Instruments, Make
from workbench.profiling.phases import StepPhases
from workbench.profiling.processor import Processes
from workbench.profiling.throughput import StepThroughput, ThroughputMeasured, Window
from workbench.step import Batch, PhaseMarks, Repeated, as_written

NEVER = 100_000.0
"""Epochs between two evaluations or checkpoints of a copy."""


class ProfileError(Exception):
    """A recipe that cannot be profiled; one line."""


class Part(Protocol):
    """Something whose throughput is measured window by window; it rests in between."""

    windows: list[ThroughputMeasured]

    def window(self) -> ThroughputMeasured:
        """Measure one window."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class CachedPipeline:
    """One batch that lies on the device, again and again: a pipeline that takes no time."""

    def __init__(self, batch: Batch, steps: int) -> None:
        self._batch = batch
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def batch_size_of(self, step: int) -> int:
        """Every step has the same images."""
        return len(self._batch.labels)

    def epoch(
        self, epoch: int, skip: int = 0, marks: PhaseMarks | None = None, repeated: Repeated = as_written
    ) -> Iterator[Batch]:
        """The batch, for each step of an epoch. What is done in place to it must not add up."""
        for _ in range(skip, self._steps):
            yield self._batch

    def batch(self, epoch: int, step: int) -> Batch:
        """The batch."""
        return self._batch

    def gather(self, indices: Tensor) -> Tensor:
        """The batch's own images."""
        return self._batch.images

    def close(self) -> None:
        """Nothing to end."""


def doubled(batch: Batch) -> Batch:
    """A batch twice in one."""
    return Batch(*(torch.cat((values, values)) for values in batch))


def working_copy(build: Build, pipeline: Pipeline | None = None) -> Build:
    """A build that shares model and optimizer but learns nothing and has no end: its learning rates are 0.

    A training from scratch on one batch, or one that goes on for long, might diverge before it is measured.
    """
    quiet = {"eval_every": NEVER, "checkpoint_every": NEVER}
    return build.with_(
        recipe=build.recipe.model_copy(update={"train": build.recipe.train.model_copy(update=quiet)}),
        base_rates=(0.0,) * len(build.base_rates),
        steps=max(build.steps, 10**8),
        pipeline=build.pipeline if pipeline is None else pipeline,
    )


def kept_ready(pipeline: Pipeline, build: Build) -> int:
    """How many batches may lie ready when a pipeline has rested: they come for nothing and must not count."""
    data = build.recipe.data
    return data.workers * data.prefetch + 1 if isinstance(pipeline, LoaderPipeline) and data.workers else 1


class Training:
    """The training loop itself over a pipeline, phases measured on the way."""

    def __init__(self, build: Build, seconds: float, folder: Path, *, phases: bool = False) -> None:
        self.windows: list[ThroughputMeasured] = []
        self._phases: list[PhasesMeasured] = []
        self._step_phases: StepPhases | None = None
        self.notes: list[str] = []
        self.build = build
        control = Control()
        control.measure("throughput", math.inf)
        if phases:
            control.measure("phases", math.inf)
        window = Window(build.device, seconds, kept_ready(build.pipeline, build), lambda: worker_pids(build.pipeline))
        own: dict[str, Make] = {
            "throughput": lambda state: StepThroughput(state.build, window),
            "phases": self._look_at_phases,
        }
        self._instruments = Instruments(folder, INSTRUMENTS | own)
        self._events: Iterator[Event] = train(build, control, observers=[self._instruments])

    def window(self) -> ThroughputMeasured:
        """Train for one window. Raises ProfileError if the network's numbers are not finite from the start."""
        for event in self._events:
            if isinstance(event, PhasesMeasured):
                self._phases.append(event)
            elif isinstance(event, ThroughputMeasured):
                self.windows.append(event)
                return event
            elif isinstance(event, Noted):
                self.notes.append(event.message)
            elif isinstance(event, Diverged):
                raise ProfileError(f"the recipe diverges in its first steps: {event.reason}")
        raise ProfileError("the training ended before it was measured")

    @property
    def phases(self) -> list[PhasesMeasured]:
        """What was measured of the phases so far."""
        present = self._step_phases.so_far() if self._step_phases is not None else None
        return [*self._phases, *([present] if present is not None else [])]

    def close(self) -> None:
        """Leave the loop."""
        for _ in self._instruments.steps_over():
            pass

    def _look_at_phases(self, state: TrainState) -> StepPhases:
        self._step_phases = StepPhases(state.phases, state.build.device, state.clock)
        return self._step_phases


class Batches:
    """A pipeline's batches alone, one epoch after the other, made as the build's training makes them."""

    def __init__(self, pipeline: Pipeline, build: Build, seconds: float, settle: int) -> None:
        self.windows: list[ThroughputMeasured] = []
        self.first_seconds = 0.0
        self._cpu_seconds = self._images = 0.0
        self._pipeline = pipeline
        self._window = Window(build.device, seconds, settle, lambda: worker_pids(pipeline))
        self._batches = _endless(pipeline, batch_maker(TrainState.of(build)))

    def window(self) -> ThroughputMeasured:
        """Take batches for one window; before the first, see how long it takes to begin. Raises DataError."""
        if not self.windows:
            began = time.perf_counter()
            next(self._batches)
            self.first_seconds = time.perf_counter() - began
        self._window.start()
        processes, over = Processes(worker_pids(self._pipeline)), False
        while not over:
            images = len(next(self._batches).labels)
            self._images += images
            over = self._window.count(images)
        found = self._window.result()
        self._cpu_seconds += processes.seconds()
        self.windows.append(found)
        return found

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that an image costs, of all processes together."""
        return self._cpu_seconds / max(self._images, 1)

    def close(self) -> None:
        """End the pipeline's workers."""
        self._batches.close()
        self._pipeline.close()


def worker_pids(pipeline: Pipeline) -> tuple[int, ...]:
    """The process ids of a pipeline's workers, none where it has none."""
    return pipeline.worker_pids() if isinstance(pipeline, LoaderPipeline) else ()


def _endless(pipeline: Pipeline, made: Repeated) -> Generator[Batch]:
    for epoch in count():
        yield from pipeline.epoch(epoch, repeated=made)
