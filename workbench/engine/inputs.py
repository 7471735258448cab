"""How a batch from the pipeline becomes what the network meets in training."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from workbench.data.base import Split
from workbench.data.statistics import channel_statistics
from workbench.hooks import Hooks
from workbench.randomness import SampleRng
from workbench.recipe import Recipe
from workbench.registered import Registered
from workbench.step import Batch, Repeated, StepContext, as_written


def training_inputs(
    batch: Batch,
    context: StepContext,
    hooks: Hooks,
    normalise: Callable[[Tensor], Tensor],
    seed: int,
    repeated: Repeated = as_written,
) -> tuple[Tensor, Tensor]:
    """Float images and targets of a batch whose images are augmented uint8.

    repeated: calls what depends on nothing but the batch and its epoch.
    """
    resizes = len(hooks.resize) > 0

    def rng(technique: Registered[..., Any], indices: Tensor) -> SampleRng:
        return SampleRng(seed, technique.name, context.epoch, indices)

    def mixed(images: Tensor, targets: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        for mix in hooks.target_mixing:
            images, targets = mix(images, targets, rng(mix, indices))
        return images, targets

    def floats(images: Tensor, labels: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        images = hooks.memory_format(normalise(images))
        for augment in hooks.tensor_augmentation:
            images = augment(images, rng(augment, indices))
        return (images, labels) if resizes else mixed(images, labels, indices)

    images, targets = repeated("inputs", floats, context.epoch, *batch)
    if not resizes:
        return images, targets
    return mixed(hooks.resize(images, context), targets, batch.indices)


def normalisation(recipe: Recipe, training: Split, device: torch.device) -> Callable[[Tensor], Tensor]:
    """uint8 ``[N, C, H, W]`` to float32 of mean 0 and standard deviation 1 per channel, or just to float32."""
    data = recipe.data
    if data.normalise == "none":
        return lambda images: images.float()
    if data.mean is not None and data.std is not None:
        mean, std = data.mean, data.std
    else:
        mean, std = channel_statistics(training)
    channels = training.images(torch.arange(1)).shape[1]
    if len(mean) != channels or len(std) != channels:
        raise ValueError(f"data.mean and data.std: expected {channels} numbers each, one a channel")
    scale = torch.tensor([1 / (255 * max(s, 1e-8)) for s in std], device=device).view(1, -1, 1, 1)
    shift = torch.tensor([-m / max(s, 1e-8) for m, s in zip(mean, std, strict=True)], device=device).view(1, -1, 1, 1)

    @cache
    def planes(height: int, width: int) -> tuple[Tensor, Tensor]:
        """Scale and shift for every pixel: with one number a channel, the CPU takes three times as long."""
        return scale.repeat(1, 1, height, width), shift.repeat(1, 1, height, width)

    def normalise(images: Tensor) -> Tensor:
        scale, shift = planes(*images.shape[2:])
        result = images.to(torch.float32, copy=True)
        return torch.addcmul(shift, result, scale, out=result)

    return normalise
