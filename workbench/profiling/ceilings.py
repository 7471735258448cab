"""The ceilings of a training: how fast its batches come alone, its network alone, and both together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from workbench.data.base import Split
from workbench.data.device import DevicePipeline
from workbench.data.pipeline import Pipeline, make_pipeline, split_bytes
from workbench.devices import gpu_of, gpu_use
from workbench.engine.build import Build
from workbench.out_of_memory import out_of_memory
from workbench.profiling.parts import (
    Batches,
    CachedPipeline,
    Part,
    Training,
    doubled,
    kept_ready,
    worker_pids,
    working_copy,
)
from workbench.profiling.processor import Processes
from workbench.profiling.report import PHASES, Found, Gpu, MeasuringProgress, Phases, Process, Throughput
from workbench.profiling.throughput import PATIENCE, ThroughputMeasured, throughput

ROUNDS = 4
"""Every part is measured so many times, in turns, so that what else the machine does meets all of them."""

FEWEST_ROUNDS = 2
"""So many turns are taken even where steps are slow."""

MOST_ROUNDS = 8
"""So many turns are taken at most, where the first do not agree."""

FITS = 0.25
"""The share of free memory up to which a data set counts as small enough for the device pipeline."""

READ_SECONDS = 10.0
"""The device pipeline is not tried with a set that takes longer to read as a whole."""

LAST_SHARE = 0.99
"""What the turns beyond the planned ones begin with, as a share of all."""

WHOLE, LOADER, NETWORK = "end to end", "loader alone", "network alone"
ONE_WORKER, DEVICE, TWICE = "one worker alone", "device pipeline alone", "network alone, twice the images"
JUDGED = (WHOLE, LOADER, NETWORK, TWICE)


@dataclass(frozen=True)
class Turn:
    """The figures of one turn, in windows that followed each other, without what other programs took of their time.

    Rates in images per second; else as in :class:`Ceilings`.
    """

    end_to_end: float
    loader: float
    compute: float
    batch_scaling: float | None
    idle_share: float
    idle_share_whole: float


@dataclass(frozen=True)
class Ceilings:
    """What was measured; throughputs as in :class:`workbench.profiling.report.Report`.

    device_loader: batches of the device pipeline, where the recipe has another and the set fits. stretch: how many
    times as long a step takes with twice the images, in the network alone; None where they do not fit. asleep,
    asleep_whole: the share that the training thread slept, of the time in the network alone that others left it, and of
    all time end to end. disturbed: the share of the time end to end in which other programs kept it or its workers from
    a processor.
    turns: what each of them says by itself.
    loader_cpu, compute_cpu: CPU seconds of an image. begin_seconds: until the first batch is there. retries: how often
    the GPU's memory had to be tidied up to go on, before the other parts took theirs. notes: what the training said.
    """

    end_to_end: Throughput
    loader: Throughput
    compute: Throughput
    phases: Phases
    loader_alone: Throughput | None
    device_loader: Throughput | None
    batch_scaling: float | None
    idle_share: float
    idle_share_whole: float
    disturbed: float
    loader_cpu: float
    compute_cpu: float
    begin_seconds: float
    processes: list[Process]
    gpu: Gpu | None
    retries: int
    turns: list[Turn]
    notes: list[str]


class Measurement:
    """All parts of one build; :meth:`found` when :meth:`run` has gone through. The caller closes it."""

    def __init__(self, build: Build, seconds: float, folder: Path) -> None:
        self._build = build
        self._compute_cpu: list[float] = []
        self._busy: list[float] = []
        self._processes: list[Process] = []
        self._memory = (0, 0, 0)
        self._each = each = seconds / ROUNDS
        device = build.device
        self._retries = _retries(device)
        batch, steps = build.pipeline.batch(0, 0), len(build.pipeline)
        settle = kept_ready(build.pipeline, build)
        self._whole = Training(working_copy(build), each, folder, phases=True)
        self._loader = Batches(another_pipeline(build), build, each, settle)
        self._parts: dict[str, Part] = {
            WHOLE: self._whole,
            LOADER: self._loader,
            NETWORK: Training(working_copy(build, CachedPipeline(batch, steps)), each, folder),
            TWICE: Training(working_copy(build, CachedPipeline(doubled(batch), steps)), each, folder),
        }
        data = build.recipe.data
        if data.pipeline == "loader" and data.workers > 1:
            one = another_pipeline(build, workers=1)
            self._parts[ONE_WORKER] = Batches(one, build, each, 1 + data.prefetch)
        if data.pipeline == "loader" and fits(build.training, device):
            self._parts[DEVICE] = Batches(another_pipeline(build, pipeline="device"), build, each, 1)

    def run(self, clear: Callable[[Ceilings], bool] = lambda found: True) -> Iterator[MeasuringProgress]:
        """Measure every part in turns: in fewer of them where steps are slow, in more until what was found is clear.

        Raises DataError or ProfileError.
        """
        began, planned = time.perf_counter(), ROUNDS * len(self._parts)
        for turn in range(MOST_ROUNDS):
            after = (time.perf_counter() - began) / max(turn, 1) * (turn + 1)  # if it takes as long as the others
            slow = after > PATIENCE * planned * self._each
            if turn >= (FEWEST_ROUNDS if slow else ROUNDS) and (
                clear(self.found()) or after > 2 * PATIENCE * planned * self._each
            ):
                break
            for done, (name, part) in enumerate([*self._parts.items()], turn * len(self._parts)):
                message = f"{name}, window {turn + 1} of {max(turn + 1, ROUNDS)}"
                yield MeasuringProgress(message, min(done / planned, LAST_SHARE), self._so_far())
                try:
                    self._window(name, part)
                except (RuntimeError, MemoryError) as error:
                    if name != TWICE or not out_of_memory(error):
                        raise
                    del self._parts[TWICE]
                    part.close()

    def _so_far(self) -> list[Found]:
        shown = (LOADER, ONE_WORKER, NETWORK, WHOLE)
        return [
            Found(name, self._throughput(name)) for name in shown if name in self._parts and self._parts[name].windows
        ]

    def close(self) -> None:
        """End all parts."""
        for part in self._parts.values():
            part.close()

    def _window(self, name: str, part: Part) -> None:
        processes = Processes(worker_pids(self._build.pipeline))
        found = part.window()
        if name == NETWORK:
            self._compute_cpu.append(processes.cores() * found.seconds / found.images)
        elif name == WHOLE:
            self._processes = processes.found()  # of the last window: before the first one there are no workers yet
            self._look_at_gpu()

    def _look_at_gpu(self) -> None:
        device = self._build.device
        if device.type != "cuda":
            return
        if not self._busy:  # before any other part took memory
            peak, reserved = torch.cuda.max_memory_allocated(device), torch.cuda.memory_reserved(device)
            self._memory = peak, reserved, _retries(device) - self._retries
        gpu = gpu_of(str(device))
        use = gpu_use(gpu.uuid) if gpu is not None else None
        self._busy.append(float("nan") if use is None or use.busy is None else use.busy)

    def found(self) -> Ceilings:
        """The figures."""
        judged = [self._parts[name].windows for name in JUDGED if name in self._parts]
        turns = [self._turn(*windows) for windows in zip(*judged, strict=True)]
        stretches = [turn.batch_scaling for turn in turns if turn.batch_scaling is not None]
        return Ceilings(
            end_to_end=self._throughput(WHOLE),
            loader=self._throughput(LOADER),
            compute=self._throughput(NETWORK),
            phases=mean_phases(self._whole),
            loader_alone=self._throughput_if(ONE_WORKER),
            device_loader=self._throughput_if(DEVICE),
            batch_scaling=median(stretches) if stretches else None,
            idle_share=median(turn.idle_share for turn in turns),
            idle_share_whole=median(turn.idle_share_whole for turn in turns),
            disturbed=median(window.disturbed for window in self._whole.windows),
            loader_cpu=self._loader.cpu_seconds,
            compute_cpu=median(self._compute_cpu),
            begin_seconds=self._loader.first_seconds,
            processes=self._processes,
            gpu=self._gpu(),
            retries=self._memory[2],
            turns=turns,
            notes=self._whole.notes,
        )

    @staticmethod
    def _turn(
        whole: ThroughputMeasured,
        loader: ThroughputMeasured,
        network: ThroughputMeasured,
        twice: ThroughputMeasured | None = None,
    ) -> Turn:
        return Turn(
            end_to_end=whole.undisturbed,
            loader=loader.images_per_second / max(1e-3, 1 - loader.disturbed),  # its batches are the workers' work
            compute=network.undisturbed,
            batch_scaling=2 * network.undisturbed / twice.undisturbed if twice else None,
            idle_share=min(1.0, network.idle_share / max(1e-3, 1 - network.runqueue_share)),
            idle_share_whole=whole.idle_share,
        )

    def _throughput(self, name: str) -> Throughput:
        return throughput([window.images_per_second for window in self._parts[name].windows])

    def _throughput_if(self, name: str) -> Throughput | None:
        return self._throughput(name) if name in self._parts else None

    def _gpu(self) -> Gpu | None:
        device = self._build.device
        if device.type != "cuda":
            return None
        busy = [share for share in self._busy if share == share]
        peak, reserved, _ = self._memory
        name, total = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)[1]
        return Gpu(name, median(busy) if busy else None, peak, reserved, int(total))


def another_pipeline(build: Build, **changes: object) -> Pipeline:
    """A pipeline of the recipe's own kind, or a changed one, that can be used beside the build's."""
    if isinstance(build.pipeline, DevicePipeline) and not changes:
        return build.pipeline  # holds no place in an epoch, so two may use it; and the images would lie there twice
    data = build.recipe.data.model_copy(update=changes)
    augmentations = tuple(build.hooks.image_augmentation)
    return make_pipeline(data, build.training, build.device, build.recipe.seed, augmentations)


def fits(split: Split, device: torch.device) -> bool:
    """Whether a split is small beside the device's free memory, and read in some seconds (from files it may not be)."""
    some = torch.arange(min(len(split), 64))
    began = time.perf_counter()
    split.images(some)
    if (time.perf_counter() - began) * len(split) / len(some) > READ_SECONDS:
        return False
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        import psutil

        free = psutil.virtual_memory().available
    return split_bytes(split) <= FITS * free


def mean_phases(part: Training) -> Phases:
    """The phases of all windows of a part, together."""
    samples = sum(window.samples for window in part.phases)
    if not samples:
        return Phases(0.0, dict.fromkeys(map(str, PHASES), 0.0), 0, 1, 0.0)

    def mean(values: Iterator[float]) -> float:
        return sum(value * window.samples for value, window in zip(values, part.phases, strict=True)) / samples

    recorded = [window.recorded_seconds for window in part.phases if window.recorded_seconds]
    return Phases(
        step_seconds=mean(window.step_seconds for window in part.phases),
        seconds={phase: mean(window.seconds[phase] for window in part.phases) for phase in PHASES},
        samples=samples,
        every=max(window.every for window in part.phases),
        cost=mean(window.cost for window in part.phases),
        recorded_seconds=median(recorded) if recorded else None,
    )


def _retries(device: torch.device) -> int:
    return int(torch.cuda.memory_stats(device).get("num_alloc_retries", 0)) if device.type == "cuda" else 0
