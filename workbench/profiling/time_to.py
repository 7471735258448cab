"""How long a recipe takes to an accuracy, over several seeds.

The contract is that of the CIFAR-10 speed records: one untimed warm-up in the process; each seed starts from fresh
weights; initialisation (with what it learns from training images), augmentation and training are timed, building a
graph or compiling and the one evaluation at the end are not; the mean accuracy over all seeds must reach the target.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.threads import use_threads
from workbench.engine.train import train
from workbench.events import Diverged, Finished
from workbench.recipe import Recipe

WARM_UP_STEPS = 12


@dataclass(frozen=True)
class Timed:
    """One seed: training time in seconds, test accuracy as a share of 1 (0 if it diverged)."""

    seed: int
    seconds: float
    accuracy: float


@dataclass(frozen=True)
class TimeTo:
    """All seeds. Deviations are those of single runs; error: the standard error of the mean accuracy.

    notes: what the device has in place of what the recipe says.
    """

    target: float
    runs: list[Timed]
    notes: list[str]

    @property
    def accuracy(self) -> float:
        """The mean over all seeds."""
        return statistics.fmean(run.accuracy for run in self.runs)

    @property
    def deviation(self) -> float:
        """Of the accuracy from seed to seed; 0 for one seed."""
        return statistics.stdev(run.accuracy for run in self.runs) if len(self.runs) > 1 else 0.0

    @property
    def error(self) -> float:
        """Of the mean accuracy; 0 for one seed."""
        return self.deviation / math.sqrt(len(self.runs))

    @property
    def seconds(self) -> float:
        """The mean training time."""
        return statistics.fmean(run.seconds for run in self.runs)

    @property
    def reached(self) -> bool:
        """Whether the mean accuracy is the target or more."""
        return self.accuracy >= self.target


def time_to(target: float, recipe: Recipe, device: str, data_root: Path, seeds: int) -> Iterator[Timed | TimeTo]:
    """Train a recipe with ``seeds`` seeds from its own on; each run as it ends, then all. Raises what building raises.

    target: a share of 1.
    """
    quiet = {"eval_every": 100_000.0, "checkpoint_every": 100_000.0}
    recipe, notes = resolve_for_device(
        recipe.model_copy(update={"train": recipe.train.model_copy(update=quiet)}), device
    )
    _timed(recipe, device, data_root, WARM_UP_STEPS)
    runs = []
    for seed in range(recipe.seed, recipe.seed + seeds):
        runs.append(_timed(recipe.model_copy(update={"seed": seed}), device, data_root))
        yield runs[-1]
    yield TimeTo(target, runs, notes)


def _timed(recipe: Recipe, device: str, data_root: Path, steps: int | None = None) -> Timed:
    with backend(recipe, device):
        built = build(recipe, device, data_root)
        built = built.with_(steps=steps or built.steps)
        try:
            use_threads(built)
            for event in train(built, Control()):
                if isinstance(event, Finished):
                    return Timed(recipe.seed, built.initialisation_seconds + event.seconds, event.test_accuracy)
                if isinstance(event, Diverged):
                    return Timed(recipe.seed, float("inf"), 0.0)
        finally:
            built.close()
    raise RuntimeError("a training ended without a result")
