"""What one image costs a network: multiply-adds and memory, counted while a copy sees it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from workbench import torch_compat
from workbench.torch_compat import TorchDispatchMode


def multiply_adds(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """Multiply-adds of convolutions and matrix products in evaluating one image ``[1, *image_shape]``.

    The model stays as it is; what runs is a copy on the CPU, in fp32. None if it cannot run.
    """
    return multiply_adds_of_last(copy.deepcopy(model), image_shape)


def multiply_adds_of_last(model: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """The same for a model that nobody needs any more, which saves the copy.

    One on the meta device becomes one of zeros: to run it there, torch would load its compiler, which takes seconds,
    and be slower after that, too.
    """
    materialised(model).to("cpu", torch.float32).eval()
    operations = _Operations()  # type: ignore[no-untyped-call]
    try:
        # With gradients, and attention as plain products, which are what can be counted.
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), operations:
            model(torch.zeros(1, *image_shape))
    except RuntimeError:  # NotImplementedError among them
        return None
    return operations.count


def materialised(model: nn.Module) -> nn.Module:
    """The model itself, with zeros in place of weights on the meta device."""
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if weight.is_meta:
                torch_compat.put_parameter(module, name, nn.Parameter(torch.zeros(weight.shape)))
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                torch_compat.put_buffer(module, name, torch.zeros(buffer.shape, dtype=buffer.dtype))
    return model


def saved_bytes(model: nn.Module, image_shape: tuple[int, int, int], device: str = "cpu") -> int | None:
    """Bytes that one image's forward pass in training keeps for the backward pass, all numbers in fp32.

    Counted on a copy on the CPU, or without memory on "meta" for a model that is there; what is kept twice counts once,
    weights not at all. None for a network that cannot run there.
    """
    twin = copy.deepcopy(model).to(device, torch.float32).train()
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
            twin(torch.zeros(images, *image_shape, device=device))
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
