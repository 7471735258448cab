"""Images that go through a network with batch norm alone: found before the run, with a change that helps."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from tests.checks.conftest import Make, before, digits, plant, split_of, whole_run, wrong
from workbench.data.base import DataSet
from workbench.engine.build import BuildError
from workbench.engine.single_images import part_sizes
from workbench.events import Finished

FLAT = ("model.widths=[8, 8, 8, 8, 8]", "model.hidden=[]")
"""A network that has shrunk 32 pixels to one before its last norm, and no norm behind that."""


def some(count: int) -> DataSet:
    """A part of the training images at 32×32."""
    whole = digits()
    return replace(whole, train=split_of(whole.train.images(torch.arange(count)), whole.train.labels[:count]))


def applied(advice: str) -> list[tuple[str, ...]]:
    """Each of the ways that an advice names, as an override."""
    return [
        (f"{key}={value.replace(',', '')}",) for key, value in re.findall(r"([a-z_.]+) (?:=|to) (true|[\d,]+)", advice)
    ]


@pytest.mark.parametrize(
    ("images", "overrides", "words"),
    [
        (65, (), "the last batch of an epoch has one image (65 images in batches of 64)"),
        (129, ("data.batch_size=32",), "has one image"),
        (20, ("data.batch_size=1",), "every image goes through the network alone"),
        (21, ("data.batch_size=1",), "every image goes through the network alone"),
        (21, ("data.batch_size=1", "data.drop_last=true"), "every image"),
        (128, ("techniques.gradient_accumulation.micro_batch_size=21",), "sent in parts"),  # 64 = 3 × 21 + 1
        (128, ("techniques.gradient_accumulation.micro_batch_size=1",), "every image goes"),
        (100, ("techniques.gradient_accumulation.micro_batch_size=7",), "sent in parts"),  # 36 = 5 × 7 + 1
        (65, ("techniques.sam=on",), "has one image"),
        (65, ("data.pipeline=loader",), "has one image"),
    ],
)
def test_it_is_found_before_the_run_and_each_advice_helps(
    make: Make, images: int, overrides: tuple[str, ...], words: str
) -> None:
    build = make("train.epochs=2", *overrides, dataset=some(images))
    found = before(build)["single_images"]
    assert found.verdict == "fail" and words in found.reason and "more than one value a channel" in found.reason
    with pytest.raises(BuildError, match=re.escape(found.advice)):
        whole_run(build, checks=False)
    assert not build.optimizer.state  # before the first step
    changes = applied(found.advice)
    assert changes
    for change in changes:
        better = make("train.epochs=1", *overrides, *change, dataset=some(images))
        assert before(better)["single_images"].verdict == "pass"
        assert isinstance(whole_run(better, checks=False)[-1], Finished)


def test_what_the_run_never_comes_to_is_no_fault(make: Make) -> None:
    build = make("train.epochs=0.5", dataset=some(65))
    assert before(build)["single_images"].verdict == "pass"
    assert isinstance(whole_run(build, checks=False)[-1], Finished)


def test_a_network_that_keeps_a_plane_can_take_one(make: Make) -> None:
    build = make("model.hidden=[]", dataset=some(65))
    found = before(build)["single_images"]
    assert found.verdict == "pass" and "that much this network can take" in found.reason
    assert isinstance(whole_run(build, checks=False)[-1], Finished)
    each = before(make("model.hidden=[]", "data.batch_size=1", dataset=some(8)))["single_images"]
    assert each.verdict == "warn" and "normalised by itself" in each.reason


def test_a_network_that_shrinks_an_image_to_one_value_cannot(make: Make) -> None:
    deep = make("model.widths=[8, 8, 8, 8, 8]", "model.depth=1", "model.hidden=[]", dataset=some(65))
    assert before(deep)["single_images"].verdict == "fail"
    assert before(make(*FLAT, dataset=some(65)))["single_images"].verdict == "pass"  # its norms see 2×2


def test_images_that_are_small_at_first_count(make: Make) -> None:
    """At full size the last norm sees 2×2 values a channel, at half the size one."""
    small = ("techniques.progressive_resizing.initial_scale=0.5",)
    base = ("model={name='resnet', channels=[4, 4, 4, 4, 4], blocks=[1, 1, 1, 1, 1]}", "techniques.residual=on")
    assert before(make(*base, dataset=some(65)))["single_images"].verdict == "pass"
    assert before(make(*base, *small, dataset=some(65)))["single_images"].verdict == "fail"


def test_without_batch_norm_there_is_nothing_to_check(make: Make) -> None:
    build = make("techniques.batch_norm=off", dataset=some(65))
    assert "single_images" not in before(build)
    assert isinstance(whole_run(build, checks=False)[-1], Finished)


def test_looking_changes_nothing(make: Make) -> None:
    build = make("techniques.dropout.rate=0.5", dataset=some(65))
    state = {name: value.clone() for name, value in build.model.state_dict().items()}
    generator = torch.random.get_rng_state()
    assert wrong(before(build, "single_images")) == {"single_images": "fail"}
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert all(torch.equal(value, state[name]) for name, value in build.model.state_dict().items())


def test_parts_are_asked_of_what_sends_them(make: Make) -> None:
    build = make("techniques.gradient_accumulation.micro_batch_size=10", "techniques.sam=on", dataset=some(65))
    assert part_sizes(build, 64) == {10, 4} and part_sizes(build, 1) == {1}
    plant(build.hooks.gradient, lambda compute: lambda images, targets: compute(images[:, 5], targets))
    assert part_sizes(build, 7) == {7}  # it needs real images
