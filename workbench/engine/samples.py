"""Training images as the network meets them, made visible again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from workbench.data.base import loaded
from workbench.data.batches import Plan, augment
from workbench.data.splits import training_and_validation
from workbench.engine.inputs import normalisation, training_inputs
from workbench.engine.registering import registered
from workbench.format import percent
from workbench.recipe import Recipe
from workbench.step import Batch, StepContext


def samples(
    recipe: Recipe, root: Path, count: int, side: int, epoch: int, *, enlarge: bool = True
) -> tuple[Tensor, list[str]]:
    """The first ``count`` images of the first epoch, with the draws that they have in ``epoch``, and their classes.

    uint8 ``[count, side, side, 3]``; without ``enlarge``, no more pixels than the images have. They pass all that
    stands before the network: image augmentation, normalisation, tensor augmentation, resizing and mixing, with the
    draws of the recipe's seed. Partners of mixed images are taken from among those shown.
    """
    dataset = loaded(recipe.data_source, root)
    training, _ = training_and_validation(dataset, recipe.data.validation, recipe.seed)
    hooks = registered(recipe, torch.device("cpu"), dataset).hooks
    normalise = hooks.normalise.chosen(normalisation(recipe, training, torch.device("cpu")))
    plan = Plan(recipe.seed, len(training), recipe.data.batch_size, recipe.data.drop_last)
    indices = plan.order(0)[:count]
    with torch.no_grad():
        images = augment(training.images(indices), indices, epoch, recipe.seed, tuple(hooks.image_augmentation))
        batch = Batch(images, training.labels[indices], indices)
        inputs, targets = training_inputs(batch, _moment(recipe, plan, epoch), hooks, normalise, recipe.seed)
        pixels = visible(inputs.float(), normalise)
        pixels = scaled(pixels, side if enlarge else min(side, max(pixels.shape[2:])))
    return pixels.permute(0, 2, 3, 1).contiguous(), captions(targets, dataset.classes)


def _moment(recipe: Recipe, plan: Plan, epoch: int) -> StepContext:
    """The start of an epoch, of a run that is long enough to have it."""
    length = max(1, len(plan))
    step = epoch * length
    return StepContext(step, max(step + 1, round(recipe.train.epochs * length)), length)


def visible(inputs: Tensor, normalise: Callable[[Tensor], Tensor]) -> Tensor:
    """Normalised images ``[N, C, H, W]`` as uint8 RGB ``[N, 3, H, W]``.

    What the normalisation makes of black and of white says how to take it back, channel by channel.
    """
    shape = (1, *inputs.shape[1:])
    black = normalise(torch.zeros(shape, dtype=torch.uint8)).float()[:, :, :1, :1]
    white = normalise(torch.full(shape, 255, dtype=torch.uint8)).float()[:, :, :1, :1]
    pixels = ((inputs - black) / (white - black) * 255).round().clamp(0, 255).to(torch.uint8)
    return pixels[:, :3] if pixels.shape[1] >= 3 else pixels[:, :1].expand(-1, 3, -1, -1)


def scaled(pixels: Tensor, side: int) -> Tensor:
    """uint8 images ``[N, 3, H, W]`` in ``side`` × ``side`` pixels."""
    if pixels.shape[2:] == (side, side):
        return pixels
    found = interpolate(pixels.float(), (side, side), mode="bilinear", align_corners=False, antialias=True)
    return found.round().clamp(0, 255).to(torch.uint8)


def captions(targets: Tensor, classes: Sequence[str]) -> list[str]:
    """The class of each image; of mixed ones, the two largest shares: ``cat 70 % dog 30 %``."""
    if targets.dim() == 1:
        return [classes[label] for label in targets.tolist()]
    found = []
    for row in targets.tolist():
        order = sorted(range(len(row)), key=lambda label: -row[label])[:2]
        pure = row[order[0]] >= 0.995
        found.append(
            classes[order[0]]
            if pure
            else " ".join(f"{classes[i]} {percent(row[i], 0)}" for i in order if row[i] > 0.005)
        )
    return found
