"""The same recipe gives the same bits on a device as on the CPU, in 32 bits, where the same kernels compute it.

Batches, draws, losses, accuracies and weights: whatever differs is ours, such as a draw that asks the device's
generator, an operation that is spelled otherwise on a device, or a step in another order. What is left out, and why:

- ``mixed_precision`` and ``half_weights``: 16 bits, which the CPU computes with other kernels than a device gets here;
- Muon's iteration, which a device makes in bf16: here it makes it in 32 bits as well;
- learning rates, which a device takes in 32 bits: here in 64 as well;
- chunks of patches, which are larger for a device: here as on the CPU, since between directions of equal strength, of
  which grey images have many, the last bit decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.checks.conftest import feeding, small_digits
from tests.cuda import numbers
from tests.engine.conftest import run, weights
from tests.techniques.table import NAMES, fed, trial
from tests.test_recipes import FEW_CHANNELS, PATHS, Noise
from workbench.engine.build import Build, build
from workbench.events import Evaluated, Finished, Trained
from workbench.models.layers import whitening
from workbench.optimizers import muon
from workbench.recipe import Recipe, read_recipe_file

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

SIXTEEN_BITS = {"mixed_precision", "half_weights"}
IN_32_BITS = [name for name in NAMES if name not in SIXTEEN_BITS]
AS_WRITTEN = "train.compile=off"
IN_32 = tuple(f"techniques.{name}.enabled=false" for name in SIXTEEN_BITS)
PIPELINES = {"device": ("data.pipeline=device",), "loader": ("data.pipeline=loader", "data.workers=0")}


@pytest.fixture(autouse=True)
def _one_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers such as dropout draw from the generator that they draw from on the CPU."""
    monkeypatch.setattr(numbers, "draws_of", "cpu")


@pytest.fixture(autouse=True)
def _muon_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "ON_CUDA", torch.float32)


@pytest.fixture(autouse=True)
def _rates_in_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.train_state._in_32_bits", float)


@pytest.fixture(autouse=True)
def _the_chunks_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(whitening.CHUNK, "cuda", whitening.CHUNK["cpu"])


@pytest.mark.parametrize(("name", "pipeline"), fed(IN_32_BITS))
def test_a_technique_gives_the_bits_of_the_cpu(name: str, pipeline: str, tmp_path: Path) -> None:
    recipe = trial(name, extra=(*PIPELINES[pipeline], "train.log_every=1", "train.epochs=2", "train.eval_every=1"))
    same_on_both(feeding(recipe, small_digits(224, 64)), tmp_path)


@pytest.mark.parametrize("pipeline", ["device", pytest.param("loader", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_packaged_recipe_gives_the_bits_of_the_cpu(path: Path, pipeline: str, tmp_path: Path) -> None:
    """Two steps of eight images each; the widest networks with fewer channels, and all in 32 bits."""
    narrow = FEW_CHANNELS.get(path.stem, ())
    recipe = read_recipe_file(
        path, overrides=(*IN_32, AS_WRITTEN, "data.batch_size=8", "train.log_every=1", *PIPELINES[pipeline], *narrow)
    )
    noise: Any = Noise(100 if recipe.data.source == "cifar100" else 10)
    same_on_both(recipe.model_copy(update={"data_source": noise}), tmp_path, steps=2)


def same_on_both(recipe: Recipe, folder: Path, steps: int | None = None) -> None:
    """Train on both; fail where a number differs."""
    here, there = outcome(recipe, "cpu", folder, steps), outcome(recipe, "cuda", folder, steps)
    for one, other in zip(here, there, strict=True):
        assert one == other


def outcome(recipe: Recipe, device: str, folder: Path, steps: int | None) -> Iterator[object]:
    """Batches of the second epoch, then what the training says, then its weights."""
    built = build(recipe, device, folder)
    try:
        if steps is not None:
            built = built.with_(steps=steps)
        yield from first_batches(built)
        events = run(built)
        assert isinstance(events[-1], Finished)
        for event in events:
            if isinstance(event, Trained | Evaluated):
                yield event.step, event.loss, repr(event.accuracy)  # of mixed images there is none
        for name, value in weights(built).items():
            yield name, value.cpu().numpy().tobytes()
    finally:
        built.close()


def first_batches(built: Build) -> Iterator[object]:
    """Images as the network meets them, places and labels of two batches."""
    for step in range(min(2, built.steps_per_epoch)):
        batch = built.pipeline.batch(0, step)
        yield batch.indices.tolist(), batch.labels.tolist()
        images, targets = built.training_inputs(batch, built.context(step))
        yield images.cpu().numpy().tobytes(), targets.cpu().numpy().tobytes()
