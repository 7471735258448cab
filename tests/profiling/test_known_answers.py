"""Planted bottlenecks get the right verdict, and a suggestion that helps. tests/cuda/test_verdicts.py: on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profiling.conftest import Read, limited_by, report_of, undisturbed
from workbench.cores import usable_cores
from workbench.profiling.report import READING, Report, from_plain, to_plain
from workbench.profiling.suggestions import changed

ASLEEP = 0.006
"""Seconds an image that the planted transform sleeps: it dwarfs what a busy machine makes of the rest."""

SLEEPY = (
    "data.batch_size=16",
    f"techniques.slow_transform.milliseconds={1000 * ASLEEP}",
    "train.compile=off",  # no recording would sleep
)

everywhere = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])


@everywhere
def test_a_transform_that_sleeps_is_found(recipe: Read, tmp_path: Path, device: str) -> None:
    wanted = recipe("data.pipeline=loader", "data.workers=0", *SLEEPY)
    found = limited_by("loader", wanted, tmp_path, device)
    assert found.transforms[0].name == "slow_transform"
    assert found.transforms[0].seconds_per_image >= ASLEEP and found.transforms[0].share > 0.8
    assert found.loader.high <= 1 / ASLEEP
    assert found.phases.seconds["data wait"] >= 16 * ASLEEP
    if undisturbed(found):
        assert found.transforms[0].seconds_per_image == pytest.approx(ASLEEP, rel=0.5)
        assert found.loader.images_per_second == pytest.approx(1 / ASLEEP, rel=0.5)
        assert found.phases.seconds["data wait"] > 0.5 * found.phases.step_seconds


@pytest.mark.skipif(usable_cores() < 2, reason="a second worker needs a second core")
@everywhere
def test_a_loader_with_one_worker_is_given_more_and_that_helps(recipe: Read, tmp_path: Path, device: str) -> None:
    wanted = recipe("data.pipeline=loader", "data.workers=1", *SLEEPY)
    found = limited_by("loader", wanted, tmp_path, device, try_it=True)
    suggestion = found.suggestion
    assert suggestion is not None and suggestion.changes["data.workers"] > 1
    (trial,) = found.trials
    if "other programs kept it" not in trial.sentence:
        assert trial.gain > 1.3
    assert suggestion.predicted is not None and suggestion.predicted > found.end_to_end.images_per_second
    if undisturbed(found):
        assert suggestion.predicted > 1.3 * found.end_to_end.images_per_second
        assert suggestion.predicted == pytest.approx(trial.after.images_per_second, rel=0.5)
    assert changed(wanted, trial.changes).data.workers == suggestion.changes["data.workers"]


@everywhere
def test_augmentation_on_the_device_is_found(recipe: Read, tmp_path: Path, device: str) -> None:
    found = limited_by("loader", recipe(*SLEEPY), tmp_path, device)
    assert "Augmentation" in found.sentence
    assert found.phases.seconds["augment"] >= 16 * ASLEEP
    assert not undisturbed(found) or found.phases.seconds["augment"] > 0.5 * found.phases.step_seconds


def test_a_model_that_dominates_is_found(recipe: Read, tmp_path: Path) -> None:
    work = ("data.batch_size=16", "techniques.image_work.milliseconds=2")
    found = limited_by("compute", recipe("data.pipeline=loader", "data.workers=1", *work), tmp_path, "cpu")
    if undisturbed(found):
        assert found.end_to_end.images_per_second == pytest.approx(found.compute.images_per_second, rel=0.4)
    assert found.suggestion is None or not found.suggestion.changes.keys() & {"data.workers", "data.pipeline"}


def test_a_step_that_waits_is_found(recipe: Read, tmp_path: Path) -> None:
    found = limited_by("sync", recipe("data.batch_size=16", "techniques.sync.milliseconds=60"), tmp_path, "cpu")
    assert "its thread sleeps" in found.sentence


def test_steps_that_take_as_long_with_twice_the_images_are_found(recipe: Read, tmp_path: Path) -> None:
    wanted = recipe("data.batch_size=2", "techniques.host_work.milliseconds=30")
    found = limited_by("launch", wanted, tmp_path, "cpu")
    assert found.suggestion is not None and found.suggestion.changes == {"data.batch_size": 4}
    assert found.suggestion.predicted is not None
    assert found.suggestion.predicted > 1.5 * found.end_to_end.images_per_second


@everywhere
def test_a_report_survives_json(recipe: Read, tmp_path: Path, device: str) -> None:
    found = report_of(recipe("data.pipeline=loader", "data.workers=2"), tmp_path, device, seconds=0.4, try_it=True)
    assert from_plain(Report, to_plain(found)) == found
    assert sum(t.share for t in found.transforms) == pytest.approx(1)
    assert [t.name for t in found.transforms] == [READING]
    assert [p.name for p in found.processes] == ["training", "worker 0", "worker 1"]
    assert found.loader_alone is not None
