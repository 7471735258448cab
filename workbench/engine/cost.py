"""What one image costs a network: multiply-adds and memory, counted on a copy without weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def multiply_adds(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """Multiply-adds of convolutions and matrix products in evaluating one image ``[1, *image_shape]``.

    The model stays as it is. None for a network that cannot run without values, because what it does depends on them.
    """
    return multiply_adds_on_meta(copy.deepcopy(model).to("meta"), image_shape)


def multiply_adds_on_meta(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """The same for a model on the meta device, which is in evaluation mode afterwards."""
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    counter = _Operations()
    try:
        with torch.no_grad(), counter:
            model.eval()(torch.empty(1, *image_shape, dtype=dtype, device="meta"))
    except RuntimeError:  # NotImplementedError among them
        return None
    return counter.total // 2


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts additions and multiplications by torch's own formulas.

    torch's FlopCounterMode knows modules too and takes twice the time; a person waits for this after every toggle.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func.overloadpacket)) is not None:
            self.total += int(formula(*args, **(kwargs or {}), out_val=result))
        return result


def saved_bytes(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """Bytes that one image's forward pass in training keeps for the backward pass, all numbers in fp32.

    Counted on a copy on the meta device; what is kept twice counts once, weights not at all. None for a network that
    cannot run there.
    """
    meta = copy.deepcopy(model).float().to("meta").train()
    weights = {weight.untyped_storage()._cdata for weight in meta.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    images = 2  # batch norms refuse a single one where a channel is one pixel
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            meta(torch.empty(images, *image_shape, device="meta"))
    except RuntimeError:
        return None
    return sum(storage.nbytes() for storage in kept.values()) // images


def warm_up() -> None:
    """Count a small network with the usual operations: torch imports what it needs for each when it first meets it."""
    with torch.device("meta"):
        body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.SiLU(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Dropout(),
            nn.AdaptiveAvgPool2d(1), nn.Sigmoid(), nn.Flatten(), nn.Linear(4, 2),
        )  # fmt: skip
    multiply_adds(body, (3, 16, 16))
    multiply_adds(_Scaled(), (3, 16, 16))


class _Scaled(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * images.mean(dim=(2, 3), keepdim=True).sigmoid() + images.amax(dim=(2, 3), keepdim=True)
