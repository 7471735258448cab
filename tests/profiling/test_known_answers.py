"""Planted bottlenecks get the right verdict, and a suggestion that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profiling.conftest import Read, limited_by, report_of, undisturbed
from workbench.cores import usable_cores
from workbench.profiling.report import READING, Report, from_plain, to_plain
from workbench.profiling.suggestions import changed

ASLEEP = 0.006
"""Seconds an image that the planted transform sleeps: it dwarfs what a busy machine makes of the rest."""

SLEEPY = ("data.batch_size=16", f"techniques.slow_transform.milliseconds={1000 * ASLEEP}")

SPEED = pytest.mark.real_gpu("how fast its kernels are, and how fast they are launched, is judged")

everywhere = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
by_speed = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, SPEED])])


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
    assert trial.gain > 1.3
    assert suggestion.predicted is not None and suggestion.predicted > 1.3 * found.end_to_end.images_per_second
    if undisturbed(found):
        assert suggestion.predicted == pytest.approx(trial.after.images_per_second, rel=0.5)
    assert changed(wanted, trial.changes).data.workers == suggestion.changes["data.workers"]


@everywhere
def test_augmentation_on_the_device_is_found(recipe: Read, tmp_path: Path, device: str) -> None:
    found = limited_by("loader", recipe(*SLEEPY), tmp_path, device)
    assert "Augmentation" in found.sentence
    assert found.phases.seconds["augment"] >= 16 * ASLEEP
    assert not undisturbed(found) or found.phases.seconds["augment"] > 0.5 * found.phases.step_seconds


@by_speed
def test_a_model_that_dominates_is_found(recipe: Read, tmp_path: Path, device: str) -> None:
    model = ("model.widths=[16,32]", "data.pipeline=loader", "data.workers=1")
    model += ("model.widths=[512,1024]", "data.batch_size=1024") if device == "cuda" else ()
    found = limited_by("compute", recipe(*model), tmp_path, device)
    if undisturbed(found):
        assert found.end_to_end.images_per_second == pytest.approx(found.compute.images_per_second, rel=0.4)
    assert found.suggestion is not None and not found.suggestion.changes.keys() & {"data.workers", "data.pipeline"}


@by_speed
def test_a_step_that_waits_is_found(recipe: Read, tmp_path: Path, device: str) -> None:
    found = limited_by("sync", recipe("techniques.sync.milliseconds=30"), tmp_path, device)
    if device == "cuda":
        assert "plants.py" in found.sentence


@by_speed
def test_tiny_batches_are_found_to_be_launch_bound(recipe: Read, tmp_path: Path, device: str) -> None:
    found = limited_by("launch", recipe("data.batch_size=2"), tmp_path, device)
    assert found.suggestion is not None and found.suggestion.changes == {"data.batch_size": 4}
    assert found.suggestion.predicted is not None
    assert found.suggestion.predicted > 1.2 * found.end_to_end.images_per_second


@everywhere
def test_a_report_survives_json(recipe: Read, tmp_path: Path, device: str) -> None:
    found = report_of(recipe("data.pipeline=loader", "data.workers=2"), tmp_path, device, seconds=0.4, try_it=True)
    assert from_plain(Report, to_plain(found)) == found
    assert sum(t.share for t in found.transforms) == pytest.approx(1)
    assert [t.name for t in found.transforms] == [READING]
    assert [p.name for p in found.processes] == ["training", "worker 0", "worker 1"]
    assert found.loader_alone is not None
