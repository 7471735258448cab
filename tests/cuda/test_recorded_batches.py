"""Batches that are made by recordings are those made as written, and what cannot be recorded is made as written."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from tests.checks.conftest import small_digits
from tests.cuda.test_graph_refused import Plant, assert_the_same_run, capturing, plant, trained
from tests.engine import conftest
from tests.engine.conftest import Make, run
from workbench.engine.build import Build
from workbench.engine.recorded_batches import RecordedBatches, batch_maker
from workbench.engine.recorder import Recorder
from workbench.engine.train_state import TrainState
from workbench.events import Noted
from workbench.randomness import SampleRng
from workbench.step import StepContext, as_written

pytestmark = pytest.mark.cuda

make = conftest.make
CHANGES = (
    "train.epochs=1.6",
    "train.log_every=1",
    "train.deterministic=true",  # on a card two runs differ in their last bits otherwise
    "techniques.random_crop.padding=1",
)


@pytest.fixture
def make_small(make: Make) -> Make:
    """Ten steps an epoch, of images of half the size."""
    return partial(make, dataset=small_digits(640, 64))


def waits_for_an_image(build: Build) -> None:
    plant(build.hooks.tensor_augmentation, lambda images, rng: images * float(images.sum() > -1e30))


def draws_by_python(build: Build) -> None:
    plant(build.hooks.tensor_augmentation, lambda images, rng: images * (1 + random.random()))


def draws_by_torch_on_the_host(build: Build) -> None:
    plant(build.hooks.tensor_augmentation, lambda images, rng: images + torch.rand(()).item())


def counts_on_the_host(build: Build) -> None:
    batches = 0

    def augment(images: Tensor, rng: SampleRng) -> Tensor:
        nonlocal batches
        batches += 1
        return images * (1 + 1 / batches)

    plant(build.hooks.tensor_augmentation, augment)


def has_a_generator_of_its_own(build: Build) -> None:
    own = random.Random(1)
    plant(build.hooks.tensor_augmentation, lambda images, rng: images * (1 + own.random()))


def has_one_of_numpys(build: Build) -> None:
    plant(build.hooks.tensor_augmentation, partial(scaled, own=numpy.random.default_rng(1)))


def scaled(images: Tensor, rng: SampleRng, own: Any) -> Tensor:
    return images * (1 + float(own.random()))


def has_one_of_torchs(build: Build) -> None:
    own = torch.Generator().manual_seed(1)
    plant(build.hooks.tensor_augmentation, lambda images, rng: images + torch.rand((), generator=own).item())


def is_changed_between_steps(build: Build) -> None:
    factor = [1.0]

    def after(context: StepContext, skip: Tensor) -> None:
        factor[0] *= 0.99

    plant(build.hooks.tensor_augmentation, lambda images, rng: images * factor[0])
    plant(build.hooks.after_step, after)


def runs_out_of_memory(build: Build) -> None:
    def augment(images: Tensor, rng: SampleRng) -> Tensor:
        if capturing():
            torch.empty(2**50, dtype=torch.uint8, device=build.device)
        return images

    plant(build.hooks.tensor_augmentation, augment)


def waits_before_it_is_a_float(build: Build) -> None:
    def augment(images: Tensor, rng: SampleRng) -> Tensor:
        return images if int(images.sum()) >= 0 else images.flip(0)

    plant(build.hooks.image_augmentation, augment)
    build.pipeline._augmentations = tuple(build.hooks.image_augmentation)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (waits_for_an_image, ("techniques.planted, test_recorded_batches.py:", "stream is capturing")),
        (waits_before_it_is_a_float, ("techniques.planted, test_recorded_batches.py:", "stream is capturing")),
        (draws_by_python, ("random numbers from random",)),
        (draws_by_torch_on_the_host, ("random numbers from torch's generator on the CPU",)),
        (counts_on_the_host, ("techniques.planted", "changes 'batches' on the host")),
        (has_a_generator_of_its_own, ("techniques.planted", "changes 'own' on the host")),
        (has_one_of_numpys, ("techniques.planted", "changes 'own' on the host")),
        (has_one_of_torchs, ("techniques.planted", "changes 'own' on the host")),
        (is_changed_between_steps, ("techniques.planted", "keeps on the host differs in an epoch")),
        (runs_out_of_memory, ("techniques.planted, test_recorded_batches.py:", "out of memory")),
    ],
)
def test_they_are_made_as_written(make_small: Make, tmp_path: Path, planted: Plant, words: tuple[str, ...]) -> None:
    """Steps are recorded all the same; a note says why; figures, weights and checkpoints are those without graphs."""
    plain = trained(make_small(*CHANGES, device="cuda"), planted, tmp_path / "off")
    found = trained(make_small(*CHANGES, "train.compile=graph", device="cuda"), planted, tmp_path / "on")
    notes = [event.message for event in found[1] if isinstance(event, Noted)]
    assert len(notes) == 1 and notes[0].startswith('train.compile = "graph": batches are made without a graph ('), notes
    assert all(word in notes[0] for word in words), notes[0]
    assert found[3].execution.recorded
    assert_the_same_run(found, plain)


@pytest.mark.parametrize("pipeline", ["device", "loader"])
def test_draws_of_the_devices_own_generator_go_on(make_small: Make, tmp_path: Path, pipeline: str) -> None:
    """A recording that draws from it moves it on as the function does."""

    def noisy(build: Build) -> None:
        plant(build.hooks.tensor_augmentation, lambda images, rng: images + torch.randn_like(images))

    nothing_differs(make_small, tmp_path, noisy, f"data.pipeline={pipeline}")


def nothing_differs(make_small: Make, folder: Path, planted: Plant, *changes: str) -> None:
    """Recorded it is the run as written, and nobody says that something could not be recorded."""
    plain, found = (
        trained(make_small(*CHANGES, *changes, f"train.compile={mode}", device="cuda"), planted, folder / mode)
        for mode in ("off", "graph")
    )
    assert not [event for event in (*plain[1], *found[1]) if isinstance(event, Noted)]
    assert_the_same_run(found, plain)


def test_every_epoch_has_recordings_of_its_own(make_small: Make) -> None:
    build = make_small(*CHANGES, "train.compile=graph", device="cuda")
    made = batch_maker(state := TrainState.of(build))
    assert isinstance(made, RecordedBatches)
    for epoch in range(4):
        for step, batch in enumerate(build.pipeline.epoch(epoch, repeated=made)):
            plain = build.pipeline.batch(epoch, step)
            assert all(map(torch.equal, batch, plain)), (epoch, step)
            found, wanted = (
                build.training_inputs(batch, context := build.context(step), made),
                build.training_inputs(plain, context),
            )
            assert all(map(torch.equal, found, wanted)), (epoch, step)
        moments = {build.context(step).epoch for step in range(len(build.pipeline))}
        assert moments == {0}  # so inputs are recorded once, and batches in every epoch
    assert not state.notes
    assert {name: recording.epoch for name, recording in made._recordings.items()} == {"batches": 3, "inputs": 0}
    assert len(made._gone) <= 3


def test_only_steps_that_are_recorded_have_recorded_batches(make_small: Make) -> None:
    for changes in (("train.compile=off",), ("train.compile=graph", "data.batch_size=500")):
        assert batch_maker(TrainState.of(make_small(*changes, device="cuda"))) is as_written
    assert batch_maker(TrainState.of(make_small("train.compile=graph"))) is as_written
    build = make_small(*CHANGES, "train.compile=graph", device="cuda")
    made = batch_maker(state := TrainState.of(build))
    assert isinstance(made, RecordedBatches)
    batches = build.pipeline.epoch(0, repeated=made)
    for _ in range(5):
        next(batches)
    assert made._recordings
    held = torch.cuda.memory_reserved()
    state.execution = state.execution.without_graph("memory")  # as steps do that give theirs up
    next(batches)
    assert not made._recordings
    assert torch.cuda.memory_reserved() <= held


def test_what_an_augmentation_keeps_for_an_epoch_is_made_before_it_is_recorded(
    make_small: Make, tmp_path: Path
) -> None:
    """In the first batch of each, which is made as written."""

    def keeps(build: Build) -> None:
        kept: dict[str, Any] = {"epoch": -1, "factor": 1.0}

        def augment(images: Tensor, rng: SampleRng) -> Tensor:
            if rng.epoch != kept["epoch"]:
                kept.update(epoch=rng.epoch, factor=1 + 0.1 * rng.epoch)
            return images * kept["factor"]

        plant(build.hooks.tensor_augmentation, augment)

    nothing_differs(make_small, tmp_path, keeps)


def test_a_refusal_leaves_earlier_recordings_that_draw_as_they_were(make_small: Make, tmp_path: Path) -> None:
    """Another build's are refused after this one's steps were recorded, with a dropout that draws each time."""
    changes = (*CHANGES, dropout := "techniques.dropout.rate=0.3", "train.compile=graph")

    def has_another_refused(build: Build) -> None:
        def after(context: StepContext, skip: Tensor) -> None:
            if build.execution.recorded and context.step == 8:
                other = make_small(*changes, device="cuda")
                waits_for_an_image(other)
                made = batch_maker(state := TrainState.of(other))
                for step, batch in enumerate(other.pipeline.epoch(0, repeated=made)):
                    other.training_inputs(batch, other.context(step), made)
                assert len(state.notes) == 1 and "stream is capturing" in state.notes[0]

        plant(build.hooks.after_step, after)

    nothing_differs(make_small, tmp_path, has_another_refused, dropout)


@pytest.mark.parametrize("times", [1, 2])
def test_memory_that_torch_only_keeps_is_no_reason(
    make_small: Make, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """A recording that finds too little of it is tried once more without what torch keeps for later."""
    tried: list[int] = []

    def short(recorder: Recorder, function: Any) -> Any:
        tried.append(len(tried))
        if len(tried) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return record(recorder, function)

    record = Recorder.record_at_once
    monkeypatch.setattr(Recorder, "record_at_once", short)
    events = run(make_small(*CHANGES, "train.compile=graph", device="cuda"))
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(tried) > 2 and not notes if times == 1 else len(tried) == 2 and "out of memory" in notes[0]


def test_they_make_room(make_small: Make) -> None:
    build = make_small(*CHANGES, "train.compile=graph", device="cuda")
    made = batch_maker(state := TrainState.of(build))
    assert isinstance(made, RecordedBatches) and not state.make_room()
    for step, batch in enumerate(build.pipeline.epoch(0, repeated=made)):
        build.training_inputs(batch, build.context(step), made)
    assert state.make_room() and not state.make_room()
    assert len(state.notes) == 1 and "too little memory for the rest" in state.notes[0]
