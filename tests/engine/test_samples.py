"""Samples are the images that training sees."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.test_recipes import Noise, recipe
from workbench.engine.build import build
from workbench.engine.samples import captions, samples, scaled, visible
from workbench.recipe import Recipe
from workbench.recipe.registries import TECHNIQUES


@pytest.fixture
def found() -> Recipe:
    plain = recipe("resnet20", "data.batch_size=8", "train.epochs=3")
    return plain.model_copy(update={"data_source": Noise(10)})


@pytest.mark.parametrize("epoch", [0, 2])
def test_they_are_the_bits_of_a_batch_of_training(found: Recipe, epoch: int, tmp_path: Path) -> None:
    with_all = found.with_technique(TECHNIQUES["cutout"]()).with_technique(TECHNIQUES["random_erasing"]())
    pixels, labels = samples(with_all, tmp_path, 8, 32, epoch)
    real = build(with_all, "cpu", tmp_path)
    order = real.pipeline.batch(0, 0).indices  # the same images, wherever the epoch has them
    found_in = [
        (batch, place)
        for batch in real.pipeline.epoch(epoch)
        for place, index in enumerate(batch.indices.tolist())
        if index in order.tolist()
    ]
    assert len(found_in) == 8
    for batch, place in found_in:
        inputs, _ = real.training_inputs(batch, real.context(epoch * real.steps_per_epoch))
        shown = pixels[order.tolist().index(int(batch.indices[place]))]
        wanted = visible(inputs[place : place + 1], real.normalise)[0].permute(1, 2, 0)
        assert torch.equal(shown, wanted)
    assert labels == [real.dataset.classes[label] for label in real.training.labels[order].tolist()]


def test_another_epoch_is_another_draw_of_the_same_images(found: Recipe, tmp_path: Path) -> None:
    first, labels = samples(found, tmp_path, 4, 32, 0)
    second, same = samples(found, tmp_path, 4, 32, 7)  # beyond the run's end too
    assert labels == same and not torch.equal(first, second)
    assert torch.equal(first, samples(found, tmp_path, 4, 32, 0)[0])


def test_black_and_white_come_back_through_any_normalisation(found: Recipe, tmp_path: Path) -> None:
    for changed in ({"normalise": "none"}, {"mean": (0.1, 0.5, 0.9), "std": (0.5, 0.1, 0.2)}):
        data = found.data.model_copy(update={"mean": None, "std": None} | changed)
        real = build(found.model_copy(update={"data": data}), "cpu", tmp_path)
        images = real.training.images(torch.arange(3))
        assert torch.equal(visible(real.plain(images), real.normalise), images)


def test_mixed_images_name_both_classes(found: Recipe, tmp_path: Path) -> None:
    mixed = found.with_technique(TECHNIQUES["mixup"]())
    labels = samples(mixed, tmp_path, 6, 16, 0)[1]
    assert len(labels) == 6 and any("%" in label for label in labels)
    assert captions(torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0]]), "abc") == ["a 70 % b 30 %", "b"]


def test_smaller_images_of_a_resized_epoch_fill_the_same_square(found: Recipe, tmp_path: Path) -> None:
    resized = found.with_technique(TECHNIQUES["progressive_resizing"]())
    assert samples(resized, tmp_path, 2, 14, 0)[0].shape == (2, 14, 14, 3)
    grey = torch.full((1, 3, 32, 32), 77, dtype=torch.uint8)
    assert bool((scaled(grey, 12) == 77).all())
