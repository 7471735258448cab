"""What single pieces of a training cost: each transform of a batch, and the evaluations."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext

import torch

from workbench.data.pipeline import EvaluationSet
from workbench.data.splits import Subset
from workbench.engine.backend import threads_limited
from workbench.engine.build import Build
from workbench.engine.evaluate import evaluate
from workbench.profiling.report import READING, Transform
from workbench.profiling.throughput import synchronize
from workbench.randomness import SampleRng

FEWEST_BATCHES = 3
EVALUATED_BATCHES = 4


def transforms(build: Build, seconds: float) -> list[Transform]:
    """What each step of making a batch costs, the dearest first, made here one batch after the other.

    Loader workers cannot be looked into; so their work is done here, by one thread as in a worker.
    """
    device = build.device if build.recipe.data.pipeline == "device" else torch.device("cpu")
    augmentations = build.hooks.image_augmentation
    spent = dict.fromkeys([READING, *(each.name for each in augmentations)], 0.0)
    order = torch.randperm(len(build.training), generator=torch.Generator().manual_seed(build.recipe.seed))
    size = min(build.recipe.data.batch_size, len(build.training))
    images_done, began = -size, time.perf_counter()  # the first batch is warm-up
    as_a_worker = build.recipe.data.pipeline == "loader" and build.recipe.data.workers > 0
    with threads_limited(1) if as_a_worker else nullcontext():
        while images_done < FEWEST_BATCHES * size or time.perf_counter() - began < seconds:
            start = (images_done + size) % (len(build.training) - size + 1)
            indices = order[start : start + size].to(device)
            clock = _Lap(device)
            images = build.pipeline.gather(indices)
            laps = [(READING, clock.lap())]
            for augment in augmentations:
                images = augment(images, SampleRng(build.recipe.seed, augment.name, 0, indices))
                laps.append((augment.name, clock.lap()))
            if images_done >= 0:
                for name, lap in laps:
                    spent[name] += lap
            images_done += size
    whole = sum(spent.values())
    found = [Transform(name, value / images_done, value / whole) for name, value in spent.items()]
    return sorted(found, key=lambda transform: -transform.share)


def evaluation_seconds(build: Build) -> float:
    """How long all splits take to evaluate once, reckoned from some of their batches."""
    batches = EVALUATED_BATCHES * build.recipe.data.eval_batch_size
    reckoned = 0.0
    splits = {"validation": build.validation, "test": build.dataset.test}
    for name in build.evaluation:
        split = splits[name]
        assert split is not None
        some = Subset(split, torch.arange(min(len(split), batches)))
        images = EvaluationSet(some, build.device, build.recipe.data.eval_batch_size, keep=True)
        partly = build.with_(evaluation={name: images})
        evaluate(partly, name)  # uploads, and warms up
        clock = _Lap(build.device)
        evaluate(partly, name)
        reckoned += clock.lap() * len(split) / len(some)
    return reckoned


def evaluation_share(build: Build, seconds: float, images_per_second: float) -> float:
    """The share of a whole run that its evaluations take, 0–1, if each takes so many seconds."""
    train = build.recipe.train
    count = max(1, math.ceil(train.epochs / train.eval_every))
    training = train.epochs * len(build.training) / images_per_second
    return count * seconds / (count * seconds + training)


class _Lap:
    def __init__(self, device: torch.device) -> None:
        self._device = device
        synchronize(device)
        self._since = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap, the device's work included."""
        synchronize(self._device)
        before, self._since = self._since, time.perf_counter()
        return self._since - before
