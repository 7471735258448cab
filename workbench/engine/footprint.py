"""What a training takes of a GPU's memory: a few steps on a few images are measured, and reckoned up to a whole batch.

torch's allocator counts all that is taken through it: weights' gradients, the optimizer's state and copies, averages,
copies in 16 bits, cuBLAS's workspace, cuDNN's for the algorithms that it takes at once. Not in it: the CUDA context,
which what the driver calls free is already without; what cuDNN's faster algorithms take where there is room, which it
does without where there is none; and gaps between the allocator's blocks.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch

from workbench.control import Control
from workbench.data.pipeline import KEPT_BYTES, EvaluationSet, split_bytes
from workbench.engine.backend import backend
from workbench.engine.build import Build, BuildError, build
from workbench.engine.evaluate import score
from workbench.engine.recorded_batches import recorded_batches
from workbench.engine.spare import small, some
from workbench.engine.train import train
from workbench.engine.train_state import TrainState
from workbench.out_of_memory import out_of_memory
from workbench.recipe.execution import part_size

IMAGES, MOST_IMAGES = 32, 128
"""Images of the smaller of the two batches that are measured, where a step takes a batch at once: a sixteenth of it,
within these; the larger has twice as many. The fullest moment of a small batch need not be that of a large one."""
EPOCHS = 4
"""Of a step with either batch: enough for states that are made in the first, and for what comes every fifth step."""
GAPS = 1.22
"""What a graph's pool has is so much more than the step ever uses at once: blocks do not fit together exactly."""

MAKING = ("", "data wait", "transfer", "augment")
"""Phases that no graph records."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that a training takes beyond its build as it stands.

    kept: what the optimizer and averages keep between steps. sets: evaluation sets that are to lie on the device. step,
    evaluation: what a step and a batch of the evaluation take besides, at their fullest moment; image: what each image
    of a step's batch adds. making: of the step, what making the batch takes. recorded: what recordings of a step, and
    of what makes its batches, take and never give back, with the step's images and cuBLAS's workspace for its stream.
    """

    kept: int
    sets: int
    step: int
    evaluation: int
    image: float
    making: int = 0
    recorded: int = 0

    @property
    def total(self) -> int:
        """All that is needed at once."""
        besides = self.making if self.recorded else self.step
        return self.kept + self.sets + self.recorded + max(besides, self.evaluation)


def footprint(wanted: Build) -> Footprint | None:
    """Measure a build on a CUDA device, on a second small build that is gone afterwards; the build stays as it is.

    None where that cannot be done: the small one does not fit either, or the recipe refuses batches of its size.
    """
    count = min(wanted.recipe.data.batch_size, len(wanted.training))
    few = max(IMAGES, min(MOST_IMAGES, count // 16))
    sizes = (few, 2 * few)
    if part := part_size(wanted.recipe):
        # of whole parts, and of two at least: from then on gradients are added to those of the parts before
        sizes = (2 * part, 3 * part)
    if sizes[1] > count:
        sizes = (max(1, count // 2), count)
    try:
        return _measured(wanted, count, sizes)
    except Exception as error:
        if not isinstance(error, BuildError) and not out_of_memory(error):
            raise
        return None


def _measured(wanted: Build, count: int, sizes: tuple[int, int]) -> Footprint:
    device, data = wanted.device, wanted.recipe.data
    recipe = small(wanted, sum(sizes), sizes[1], sizes[1])
    with backend(recipe, device):
        torch.backends.cudnn.benchmark = False  # what it tries is dear, for sizes that nobody needs
        spare = build(recipe, device, Path())
        spare = spare.with_(steps=EPOCHS * spare.steps_per_epoch)
        state = TrainState.of(spare)
        try:
            gc.collect()  # what others left behind must not be freed in the middle
            peaks = _Peaks(state)
            for _ in train(spare, Control(), state=state):
                if state.step == spare.steps:
                    break
            kept = peaks.kept
            state.phases.off()
            base, evaluations = torch.cuda.memory_allocated(device), {}
            for size in sizes:
                images = EvaluationSet(some(spare.dataset.test, size), device, size, keep=False)
                torch.cuda.reset_peak_memory_stats(device)
                score(spare, images)
                evaluations[size] = torch.cuda.max_memory_allocated(device) - base
        finally:
            spare.close()
    phases = {name: _at(found, count) for name, found in peaks.found.items()}
    making = max((phases[name][0] for name in MAKING if name in phases), default=kept) - kept
    largest, image = max(found for name, found in phases.items() if name not in MAKING)
    step = largest - kept
    recorded = 0
    if wanted.execution.recorded:
        own = count * wanted.training.images(torch.arange(1)).numel() * 4 + workspace_bytes(device)
        recorded = int(GAPS * (step + (making if recorded_batches(wanted) else 0))) + own
    evaluation = _at(evaluations, min(data.eval_batch_size, len(wanted.dataset.test)))[0]
    return Footprint(kept, _sets(wanted), max(step, making), evaluation, image, making, recorded)


class _Peaks:
    """The largest amount of memory in each phase of a build's steps, by the number of images, above what it began with.

    kept: what the last step left, above it.
    """

    def __init__(self, state: TrainState) -> None:
        self._state, self._spare = state, state.build
        self._phase = ""
        self._size = 0
        self._base = torch.cuda.memory_allocated(self._spare.device)
        self.kept = 0
        self.found: dict[str, dict[int, int]] = defaultdict(dict)
        torch.cuda.reset_peak_memory_stats(self._spare.device)
        state.phases.phase = self._at

    def _at(self, phase: str) -> None:
        device, pipeline = self._spare.device, self._spare.pipeline
        if self._phase:
            peaks, peak = self.found[self._phase], torch.cuda.max_memory_allocated(device) - self._base
            peaks[self._size] = max(peak, peaks.get(self._size, 0))
        if not phase:
            self.kept = torch.cuda.memory_allocated(device) - self._base
        self._size = pipeline.batch_size_of(self._state.step % len(pipeline))
        self._phase = phase
        torch.cuda.reset_peak_memory_stats(device)


def _at(found: dict[int, int], count: int) -> tuple[int, float]:
    """What two sizes took, reckoned for a third; and for each image."""
    (small_size, few), (size, more) = min(found.items()), max(found.items())
    each = max(0.0, (more - few) / (size - small_size)) if size > small_size else 0.0
    return int(more + each * (count - size)), each


def _sets(wanted: Build) -> int:
    """What evaluation sets need that are not on the device yet."""
    return sum(
        split_bytes(split)
        for name, split in (("validation", wanted.validation), ("test", wanted.dataset.test))
        if split is not None and not wanted.evaluation[name].on_device and split_bytes(split) <= KEPT_BYTES
    )


def workspace_bytes(device: torch.device) -> int:
    """What torch gives cuBLAS for each stream, as its documentation of CUBLAS_WORKSPACE_CONFIG says."""
    major = torch.cuda.get_device_capability(device)[0]
    return 32 * 2**20 if major >= 9 else 4096 * 1024 * 2 + 16 * 1024 * 8
