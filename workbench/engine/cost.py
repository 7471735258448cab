"""What one image costs a network: multiply-adds and memory, counted while a copy sees it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode


def multiply_adds(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """Multiply-adds of convolutions and matrix products in evaluating one image ``[1, *image_shape]``.

    The model stays as it is. Its copy runs on the CPU in fp32, as on the meta device torch loads its compiler for the
    shapes; only the copy of a model that is there stays there. None if it cannot run: without values, for example.
    """
    if any(parameter.is_meta for parameter in model.parameters()):
        return multiply_adds_on_meta(copy.deepcopy(model), image_shape)
    return _counted(copy.deepcopy(model).to("cpu", torch.float32), torch.zeros(1, *image_shape))


def multiply_adds_on_meta(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """The same for a model on the meta device, which is in evaluation mode afterwards."""
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    return _counted(model, torch.empty(1, *image_shape, dtype=dtype, device="meta"))


def _counted(model: nn.Module, image: torch.Tensor) -> int | None:
    operations = _Operations()  # type: ignore[no-untyped-call]
    # Attention as the plain products that can be counted: torch takes another way on a CPU where no gradients are kept.
    keeps = not image.is_meta
    try:
        with torch.random.fork_rng([]), torch.set_grad_enabled(keeps), sdpa_kernel(SDPBackend.MATH), operations:
            model.eval()(image)
    except RuntimeError:  # NotImplementedError among them
        return None
    return operations.count


def saved_bytes(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """Bytes that one image's forward pass in training keeps for the backward pass, all numbers in fp32.

    Counted on a copy on the CPU; what is kept twice counts once, weights not at all. None for a network that cannot run
    there.
    """
    twin = copy.deepcopy(model).to("cpu", torch.float32).train()
    weights = {weight.untyped_storage()._cdata for weight in twin.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    images = 2  # batch norms refuse a single one where a channel is one pixel
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), hooks:
            twin(torch.zeros(images, *image_shape))
    except RuntimeError:
        return None
    return sum(storage.nbytes() for storage in kept.values()) // images


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the multiply-adds of what runs inside it.

    torch's FlopCounterMode knows more kinds of operations, but loads Triton and, to hide itself from it, torch's
    compiler: longer than ``import torch`` takes, before the first step of a run.
    """

    count = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        operation, aten = function._overloadpacket, torch.ops.aten
        if operation is aten.convolution:
            images, filters, transposed = args[0], args[1], args[6]
            self.count += (images if transposed else result).numel() * filters[0].numel()
        elif operation in (aten.mm, aten.bmm):
            self.count += result.numel() * args[0].shape[-1]
        elif operation in (aten.addmm, aten.baddbmm):
            self.count += result.numel() * args[1].shape[-1]
        return result


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
