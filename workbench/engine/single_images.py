"""Images that go through the network alone, which a batch norm refuses where each channel has but one value."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from workbench import torch_compat
from workbench.device_lost import pass_on
from workbench.engine.build import Build
from workbench.out_of_memory import out_of_memory
from workbench.recipe.execution import part_setting

LOOKED_AT = 256
"""Epochs at which the size of the images is looked at, where a run has more."""

NO_STATISTICS = "a batch norm needs more than one value a channel"

FURTHER = 64
"""How many sizes beyond the present one are tried for a remedy."""


def part_sizes(build: Build, images: int) -> set[int]:
    """How many images go through the network at a time in a step of ``images`` images.

    Asked of what wraps the computation of gradients, which may send a batch through in parts.
    """
    seen: set[int] = set()
    classes = len(build.dataset.classes)

    def compute(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        seen.add(len(images))
        return torch.zeros(()), torch.zeros(len(images), classes)

    wrapped: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = compute
    try:
        for wrap in build.hooks.gradient:
            wrapped = wrap(wrapped, build.model)
        wrapped(torch.zeros(images, 1), torch.zeros(images, dtype=torch.int64))
    except Exception:  # a technique of somebody's own that needs real images
        return {images}
    return seen or {images}


def batch_sizes(build: Build) -> set[int]:
    """The sizes of the run's batches: that of the first, and that of an epoch's last if the run gets there."""
    reaches = build.steps_per_epoch if len(build.hooks.finish) else min(build.steps, build.steps_per_epoch)
    return {build.pipeline.batch_size_of(0), build.pipeline.batch_size_of(reaches - 1)}


def sizes_at_a_time(build: Build) -> set[int]:
    """How many images go through the network at a time in the steps of the run."""
    return set[int]().union(*(part_sizes(build, size) for size in batch_sizes(build)))


def normalises_batches(build: Build) -> bool:
    """Whether a norm of the network uses the statistics of the batch."""
    return any(isinstance(module, torch_compat.BATCH_NORM) for module in build.model.modules())


def refusal(build: Build) -> str:
    """Why the run will break where an image goes through the network alone; "" where none does, or where it may.

    Tried on a copy in training mode, with every size that images have in the run. The build and torch's generators
    stay as they are.
    """
    if 1 not in sizes_at_a_time(build):
        return ""
    model = copy.deepcopy(build.model).float().train()
    devices = [build.device] if build.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        for images in _single_images(build):
            try:
                model(images)
            except Exception as error:
                pass_on(error)
                if out_of_memory(error):
                    raise
                what = " ".join(str(error).split()) or type(error).__name__
                return NO_STATISTICS if normalises_batches(build) else f"the network refuses it ({what[:200]})"
    return ""


def place(build: Build) -> str:
    """Where in the run an image goes alone."""
    size, images = build.recipe.data.batch_size, len(build.training)
    if part_sizes(build, build.pipeline.batch_size_of(0)) == {1}:
        return "every image goes through the network alone"
    if 1 in batch_sizes(build):
        return f"the last batch of an epoch has one image ({images:,} images in batches of {size:,})"
    return f"one image of a batch goes through the network alone (batches of {size:,} images are sent in parts)"


def remedy(build: Build) -> str:
    """What to change in the recipe so that no image goes alone."""
    data, images = build.recipe.data, len(build.training)
    key, micro = part_setting(build.recipe) or ("", 0)

    def alone(size: int, *, dropping: bool = data.drop_last, micro: int = micro) -> bool:
        batches = {size} if dropping else _pieces(images, size)
        return any(1 in (_pieces(batch, micro) if micro else part_sizes(build, batch)) for batch in batches)

    ways = []
    if 1 in batch_sizes(build):
        if not data.drop_last and data.batch_size < images and not alone(data.batch_size, dropping=True):
            ways.append("set data.drop_last = true")
        if other := _nearest(data.batch_size, alone, images):
            ways.append(f"data.batch_size to {other:,}" if ways else f"set data.batch_size to {other:,}")
    elif micro and (other := _nearest(micro, lambda size: alone(data.batch_size, micro=size), images)):
        ways.append(f"set {key} to {other:,}")
    elif other := _nearest(data.batch_size, alone, images):
        ways.append(f"set data.batch_size to {other:,}")
    return ", or ".join(ways) or "give it more training images, or a network without batch norm"


def _pieces(images: int, size: int) -> set[int]:
    """The sizes of the parts of some images, cut into ``size`` at a time."""
    return {min(size, images)} | ({images % size} if images % size else set())


def _nearest(size: int, alone: Callable[[int], bool], images: int) -> int:
    """The size nearest to this one with which no image goes alone; 0 if none is found."""
    near = sorted(range(2, min(images, size + FURTHER) + 1), key=lambda other: (abs(other - size), other))
    return next((other for other in near if other != size and not alone(other)), 0)


def _single_images(build: Build) -> Iterator[Tensor]:
    """One training image in every size that images have in the run, as the network meets it."""
    image = build.plain(build.training.images(torch.arange(1)).to(build.device)).float()
    seen: set[tuple[int, ...]] = set()
    for step in _steps(build):
        resized = build.hooks.resize(image, build.context(step))
        if tuple(resized.shape) not in seen:
            seen.add(tuple(resized.shape))
            yield resized


def _steps(build: Build) -> Iterable[int]:
    """The first step and the last ones of epochs spread over the run."""
    epochs = -(-build.steps // build.steps_per_epoch)
    ends = (min((epoch + 1) * build.steps_per_epoch, build.steps) - 1 for epoch in range(epochs))
    return sorted({0, *list(ends)[:: max(1, epochs // LOOKED_AT)], build.steps - 1})
