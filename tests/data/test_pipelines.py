from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.data.base import DataError, Split
from workbench.data.batches import Plan
from workbench.data.pipeline import EvaluationSet, Pipeline, evaluation_batches, make_pipeline, order, split_bytes
from workbench.data.sources import folder as folder_module
from workbench.data.sources.folder import Folder
from workbench.data.splits import ArraySplit, Subset
from workbench.randomness import SampleRng
from workbench.recipe.schema import Data
from workbench.registered import Registered
from workbench.step import Batch


def shift(images: Tensor, rng: SampleRng) -> Tensor:
    """Roll every image sideways by its own amount."""
    width = images.shape[3]
    columns = (torch.arange(width, device=images.device) + rng.integers(width)) % width
    return images.gather(3, columns[:, None, None, :].expand_as(images))


def brighten(images: Tensor, rng: SampleRng) -> Tensor:
    """Scale every image by its own factor, with floating-point numbers in between."""
    grey = images.float().mean(dim=(1, 2, 3), keepdim=True)
    factor = 0.5 + rng.uniform()[:, :, None, None]
    return (grey + (images.float() - grey) * factor).clamp(0, 255).round().to(torch.uint8)


AUGMENTATIONS = (Registered(0, "shift", shift), Registered(1, "brighten", brighten))
SETTINGS: dict[str, dict[str, object]] = {
    "device": {"pipeline": "device"},
    "0 workers": {"pipeline": "loader", "workers": 0},
    "1 worker": {"pipeline": "loader", "workers": 1},
    "2 workers": {"pipeline": "loader", "workers": 2},
    "2 workers, prefetch 1": {"pipeline": "loader", "workers": 2, "prefetch": 1},
    "2 passing workers": {"pipeline": "loader", "workers": 2, "persistent_workers": False},
}


def random_split(count: int = 70) -> ArraySplit:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=random)
    return ArraySplit(images, torch.randint(0, 5, (count,), generator=random))


def pipeline_of(kind: str, split: Split | None = None, seed: int = 3, **changes: object) -> Pipeline:
    data = Data(**({"batch_size": 16} | SETTINGS[kind] | changes))
    return make_pipeline(data, random_split() if split is None else split, "cpu", seed, AUGMENTATIONS)


def all_of(pipeline: Pipeline, epoch: int, skip: int = 0) -> list[Batch]:
    return [Batch(*(part.clone() for part in batch)) for batch in pipeline.epoch(epoch, skip)]


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a, b) and a.dtype == b.dtype
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x, y, strict=True)
    )


@pytest.fixture(scope="module")
def reference() -> list[list[Batch]]:
    """Three epochs, made by hand from the contract."""
    split = random_split()
    epochs = []
    for epoch in range(3):
        batches = []
        for indices in order(3, epoch, len(split)).split(16):
            images = split.images()[indices]
            for filler in AUGMENTATIONS:
                images = filler.function(images, SampleRng(3, filler.name, epoch, indices))
            batches.append(Batch(images, split.labels[indices], indices))
        epochs.append(batches)
    return epochs


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_pipeline_gives_the_same_bits(kind: str, reference: list[list[Batch]]) -> None:
    before = torch.get_rng_state()
    pipeline = pipeline_of(kind)
    try:
        assert len(pipeline) == 5
        assert [pipeline.batch_size_of(step) for step in range(5)] == [16, 16, 16, 16, 6]
        for epoch in (0, 1, 2, 0):
            assert same(all_of(pipeline, epoch), reference[epoch])
        for skip in (0, 1, 4, 5, 9):
            assert same(all_of(pipeline, 1, skip), reference[1][skip:])
        for step in (0, 4):
            assert same([pipeline.batch(2, step)], [reference[2][step]])
        with pytest.raises(IndexError):
            pipeline.batch(0, 5)
        half = pipeline.epoch(0)
        assert same([next(half), next(half)], reference[0][:2])
        half.close()  # type: ignore[attr-defined]
        assert same(all_of(pipeline, 2, 3), reference[2][3:])
    finally:
        pipeline.close()
    assert torch.equal(before, torch.get_rng_state()), "the global generator belongs to the network's layers"


def test_replaying_while_an_epoch_runs_disturbs_nothing(reference: list[list[Batch]]) -> None:
    pipeline = pipeline_of("2 workers")
    try:
        seen = []
        for batch in pipeline.epoch(0):
            seen.append(batch)
            assert same([pipeline.batch(1, 2)], [reference[1][2]])
        assert same(seen, reference[0])
    finally:
        pipeline.close()


@pytest.mark.parametrize("kind", ["device", "2 workers"])
def test_drop_last_leaves_the_small_batch_out(kind: str, reference: list[list[Batch]]) -> None:
    pipeline = pipeline_of(kind, drop_last=True)
    try:
        assert len(pipeline) == 4
        assert same(all_of(pipeline, 0), reference[0][:4])
    finally:
        pipeline.close()


@pytest.mark.parametrize("kind", ["device", "0 workers"])
def test_drop_last_may_leave_nothing(kind: str) -> None:
    pipeline = pipeline_of(kind, drop_last=True, batch_size=71)
    assert len(pipeline) == 0
    assert all_of(pipeline, 0) == []


@pytest.mark.parametrize("kind", ["device", "0 workers", "2 workers"])
def test_a_subset_counts_its_own_positions(kind: str) -> None:
    positions = torch.arange(69, 0, -3)
    subset = Subset(random_split(), positions)
    pipeline = pipeline_of(kind, subset)
    plain = make_pipeline(Data(batch_size=16, **SETTINGS[kind]), subset, "cpu", 0, ())  # type: ignore[arg-type]
    try:
        assert same(all_of(pipeline, 0), all_of(pipeline_of("device", subset), 0))
        for batch in plain.epoch(0):
            assert torch.equal(batch.images, random_split().images(positions[batch.indices]))
            assert torch.equal(batch.labels, random_split().labels[positions[batch.indices]])
    finally:
        pipeline.close()
        plain.close()


def test_files_decoded_in_workers_give_the_same_bits(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Folder(path=str(make_folder((8, 8), train=9)))
    kept = source.load(Path()).train
    monkeypatch.setattr(folder_module, "IN_MEMORY_BYTES", 0)
    files = source.load(Path()).train
    expected = all_of(pipeline_of("device", kept, batch_size=4), 1)
    for kind in ("device", "0 workers", "2 workers"):
        pipeline = pipeline_of(kind, files, batch_size=4)
        try:
            assert same(all_of(pipeline, 1), expected)
        finally:
            pipeline.close()


def test_an_empty_split_is_an_error() -> None:
    empty = ArraySplit(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(DataError, match="no training images"):
        pipeline_of("device", empty)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.integers(1, 100), st.booleans())
def test_a_plan_covers_every_image_once(images: int, batch_size: int, drop_last: bool) -> None:
    plan = Plan(0, images, batch_size, drop_last)
    sizes = [plan.batch_size_of(step) for step in range(len(plan))]
    assert all(size == batch_size for size in sizes[:-1])
    assert sum(sizes) == (images - images % batch_size if drop_last else images)
    covered = [i for step in range(len(plan)) for i in plan.order(0)[plan.part(step)].tolist()]
    assert covered == plan.order(0)[: len(covered)].tolist()


def test_orders_are_permutations_that_depend_on_seed_and_epoch() -> None:
    one = order(0, 0, 1000)
    assert one.dtype == torch.int64 and one.tolist() != sorted(one.tolist())
    assert sorted(one.tolist()) == list(range(1000))
    assert torch.equal(one, order(0, 0, 1000))
    for other in (order(0, 1, 1000), order(1, 0, 1000)):
        assert (one == other).sum() < 10  # one match is expected by chance


def test_orders_put_every_image_everywhere_equally_often() -> None:
    n, epochs = 20, 2000
    positions = torch.stack([order(5, epoch, n) for epoch in range(epochs)])
    counts = torch.stack([(positions == image).sum(0) for image in range(n)]).double()
    expected = epochs / n
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    degrees = (n - 1) ** 2
    assert abs(chi_square - degrees) < 5 * (2 * degrees) ** 0.5


@pytest.mark.parametrize("keep", [None, True, False])
def test_evaluation_goes_through_a_split_in_order_as_often_as_asked(keep: bool | None) -> None:
    split = random_split()
    evaluation = EvaluationSet(split, "cpu", 32, keep)
    assert len(evaluation) == 70
    for _ in range(2):
        batches = list(evaluation)
        assert [len(batch.labels) for batch in batches] == [32, 32, 6]
        assert torch.equal(torch.cat([batch.images for batch in batches]), split.images())
        assert torch.equal(torch.cat([batch.labels for batch in batches]), split.labels)
        assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(70))
    assert same(list(evaluation_batches(split, "cpu", 32)), batches)


def test_bytes_of_a_split() -> None:
    assert split_bytes(random_split()) == 70 * 3 * 8 * 8


@pytest.mark.cuda
@pytest.mark.parametrize("kind", ["device", "0 workers", "2 workers"])
def test_on_a_gpu_the_same_bits_and_no_waiting(kind: str) -> None:
    """Whole-number augmentation only: floating-point sums differ in their last bits between devices."""
    data = Data(**({"batch_size": 16} | SETTINGS[kind]))
    expected = make_pipeline(Data(batch_size=16), random_split(), "cpu", 3, AUGMENTATIONS[:1])
    pipeline = make_pipeline(data, random_split(), "cuda", 3, AUGMENTATIONS[:1])
    try:
        for epoch in (0, 1):
            found = list(pipeline.epoch(epoch))
            assert all(part.device.type == "cuda" for batch in found for part in batch)
            assert same([Batch(*(part.cpu() for part in batch)) for batch in found], list(expected.epoch(epoch)))
        batches = pipeline.epoch(2)
        next(batches)  # the epoch's order is uploaded
        torch.cuda.set_sync_debug_mode("error")
        try:
            list(batches)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    finally:
        pipeline.close()
