"""Sizes that cannot be: what a recipe needs at the very least, told before anything of that size is made."""

from __future__ import annotations

import copy

import torch
from torch import nn

from workbench.data.base import DataSet
from workbench.engine.cost import materialised, saved_bytes
from workbench.engine.registering import network, registered
from workbench.memory import host_bytes
from workbench.recipe import Recipe
from workbench.recipe.execution import part_size

GIB = 2**30

NUMBER = 4
"""Bytes of a weight or an activation in fp32."""


def sketch(recipe: Recipe, dataset: DataSet, training_images: int, device: torch.device) -> nn.Module:
    """The recipe's network on the meta device, once it is clear that a machine like this one could hold it.

    training_images: without those held out. Raises ValueError for one that is impossible here, whatever else the
    machine does, and whatever networks and techniques raise.
    """
    found = registered(recipe, torch.device("cpu"), dataset)
    try:
        with torch.device("meta"):
            model = network(found)
        numbers = sum(weight.numel() for weight in model.parameters())
    except (RuntimeError, OverflowError, TypeError) as error:  # torch counts bytes in 63 bits
        if largest(recipe)[1] < 2**24:
            raise
        raise ValueError(f"{_model(recipe)}: torch cannot even count the weights of such a network") from error
    check(recipe, dataset, training_images, device, model, numbers)
    return model


def check(
    recipe: Recipe, dataset: DataSet, training_images: int, device: torch.device, model: nn.Module, numbers: int
) -> None:
    """Raises ValueError where ``model`` (on the meta device, of so many weights) or its batches cannot fit."""
    room, host = device_bytes(device), host_bytes()
    where = f"{device} has {_gib(room)} in all"
    weights = numbers * NUMBER
    if 2 * weights > room or weights > host:
        layer = max(model.named_parameters(), key=lambda found: found[1].numel(), default=("", None))[0]
        raise ValueError(
            f"{_model(recipe)}: {numbers:,} weights, most of them in {layer}, take {_gib(2 * weights)} with their "
            f"gradients, and {where}; make the network smaller"
        )
    channels, height, width = dataset.shape
    image = channels * height * width * (1 + NUMBER)  # as uint8 and as fp32
    step = min(recipe.data.batch_size, training_images, part_size(recipe) or training_images)
    evaluation = min(recipe.data.eval_batch_size, len(dataset.test))
    for key, count in (("batch_size", step), ("eval_batch_size", evaluation)):
        if count * image > room:
            raise ValueError(
                _too_many(f"data.{key}", count, image, room - image, f"as images of {height}×{width}", where)
            )
    most = sum(_widest(module) for module in model.modules()) * height * width * NUMBER
    if 2 * weights + step * (3 * most + image) <= room:  # more than layers, norms and activations keep
        return
    kept = _kept(model, dataset.shape, most)
    if kept is not None and 2 * weights + step * (kept // 2 + image) > room:  # half: in 16 bits
        each, left = kept // 2 + image, room - 2 * weights
        if each > left:
            raise ValueError(
                f"{_model(recipe)}: one image of {height}×{width} takes {_gib(each)} on its way through the network, "
                f"and {where}; make the network or the images smaller"
            )
        raise ValueError(_too_many("data.batch_size", step, each, left, "on their way through the network", where))


def largest(recipe: Recipe) -> tuple[str, int]:
    """The model's parameter with the largest whole number, and that number."""
    found = [("", 0)]
    for name, value in recipe.model.model_dump().items():
        numbers = value if isinstance(value, tuple | list) else (value,)
        found += [(name, n) for n in numbers if isinstance(n, int) and not isinstance(n, bool)]
    return max(found, key=lambda pair: pair[1])


def device_bytes(device: torch.device) -> int:
    """All the memory that a device has, whoever uses it now."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return host_bytes()


def _kept(model: nn.Module, shape: tuple[int, int, int], most: int) -> int | None:
    """What one image's forward pass keeps; on zeros where that is little, else without memory, which takes seconds."""
    if 2 * 3 * most < GIB:
        return saved_bytes(materialised(copy.deepcopy(model)), shape)
    return saved_bytes(model, shape, "meta")


def _widest(module: nn.Module) -> int:
    """Channels that a layer makes of an image; 0 for what is no layer of its own."""
    return int(getattr(module, "out_channels", 0) or getattr(module, "out_features", 0) or 0)


def _model(recipe: Recipe) -> str:
    name, number = largest(recipe)
    return f"model.{name}: {number:,}" if name else f"model '{recipe.model.name}'"


def _too_many(key: str, count: int, each: int, left: int, how: str, where: str) -> str:
    fits = max(1, left // each)
    size = 1 << (fits.bit_length() - 1)
    return f"{key}: {count:,} take {_gib(count * each)} {how}, and {where}; at most {size:,} could fit"


def _gib(count: float) -> str:
    return f"{count / GIB:,.1f} GiB" if count < 1e6 * GIB else f"{count / GIB:.1e} GiB"
