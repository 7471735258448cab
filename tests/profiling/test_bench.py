"""The floor, the speed of every mode of execution, and the time to an accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.engine.build import build
from workbench.engine.cost import multiply_adds
from workbench.profiling.bench import Bench, bench
from workbench.profiling.floor import measure_floor
from workbench.profiling.time_to import Timed, TimeTo, time_to
from workbench.recipe import read_recipe


def test_the_floor_counts_what_a_step_must_do(digits_recipe: str, tmp_path: Path) -> None:
    changes = ["data.batch_size=32"]
    small = build(read_recipe(digits_recipe, overrides=changes), "cpu", tmp_path)
    large = build(read_recipe(digits_recipe, overrides=["data.batch_size=64"]), "cpu", tmp_path)
    few, many = measure_floor(small), measure_floor(large)
    count = multiply_adds(small.model, small.dataset.shape)
    assert few is not None and many is not None and count is not None
    assert few.operations == 3 * 2 * count * 32
    assert many.operations == 2 * few.operations
    weights = 4 * sum(parameter.numel() for parameter in small.parameters)
    assert many.bytes - few.bytes == pytest.approx(few.bytes - 6 * weights)  # the images' share; SGD has no states yet
    assert 0 < few.seconds == max(few.operations / few.matrix_rate, few.bytes / few.copy_rate)
    half = build(
        read_recipe(digits_recipe, overrides=[*changes, "techniques.mixed_precision.dtype=bf16"]), "cpu", tmp_path
    )
    halved = measure_floor(half)
    assert halved is not None and halved.bytes - 6 * weights == pytest.approx((few.bytes - 6 * weights) / 2)


@pytest.mark.slow
def test_every_variant_is_measured(digits_recipe: str, tmp_path: Path) -> None:
    recipe = read_recipe(digits_recipe, overrides=["train.threads=1", "data.workers=1"])
    found = list(bench(recipe, "cpu", tmp_path, 0.5, ["off", "graph"], ["device", "loader"]))[-1]
    assert isinstance(found, Bench)
    pairs = [(variant.compile, variant.pipeline) for variant in found.variants]
    assert pairs == [("off", "device"), ("off", "loader"), ("graph", "device"), ("graph", "loader")]
    for variant in found.variants:
        assert variant.rate.low <= variant.rate.images_per_second <= variant.rate.high
        assert variant.floor_share is not None and 0 < variant.floor_share < 1
        # Last batches of an epoch are smaller: the mean step has a little less than the batch size.
        images = variant.rate.images_per_second * variant.milliseconds / 1000
        assert 20 < images < 130
        assert bool(variant.notes) == (variant.compile == "graph")  # why there is no graph on a CPU


def test_all_variants_have_the_threads_that_were_chosen_once(
    digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[object] = []
    monkeypatch.setattr("workbench.profiling.bench.use_threads", chosen.append)
    list(bench(read_recipe(digits_recipe), "cpu", tmp_path, 0.5, ["off"], ["device", "loader"]))
    assert len(chosen) == 1


def test_the_time_to_an_accuracy_is_over_all_seeds(digits_recipe: str, tmp_path: Path) -> None:
    recipe = read_recipe(digits_recipe, overrides=["train.epochs=3", "train.threads=1"])
    *runs, whole = time_to(0.5, recipe, "cpu", tmp_path, 2)
    assert isinstance(whole, TimeTo) and whole.runs == runs
    assert [run.seed for run in runs if isinstance(run, Timed)] == [3, 4]
    assert whole.reached and whole.accuracy == pytest.approx(sum(run.accuracy for run in whole.runs) / 2)
    assert whole.seconds > 0 and whole.error == pytest.approx(whole.deviation / 2**0.5)


def test_a_seed_that_diverges_counts_as_nothing_learnt(digits_recipe: str, tmp_path: Path) -> None:
    recipe = read_recipe(digits_recipe, overrides=["train.epochs=1", "techniques.sgd.learning_rate=1000"])
    whole = list(time_to(0.1, recipe, "cpu", tmp_path, 1))[-1]
    assert isinstance(whole, TimeTo) and not whole.reached
