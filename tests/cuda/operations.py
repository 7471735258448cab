"""What is to be known of torch's operations: what computes each on the CPU, and which a GPU is waited for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from tests.cuda import convolutions
from tests.cuda.convolutions import low_precision
from tests.cuda.host import mapped, on_cuda

aten = torch.ops.aten

AS_THEY_ARE = {
    *("aten::set_", "aten::record_stream", "aten::resize_", "aten::is_pinned", "aten::_pin_memory"),
    *("aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty", "aten::new_empty_strided"),
}
"""They compute nothing."""

SIZED_BY_VALUES = {
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.unique_consecutive.default,
    aten.bincount.default,
    aten.repeat_interleave.Tensor,
}
"""The size of what they return is read from the device, so a GPU is waited for."""

MASKED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""So it is where these have a mask among their indices."""


def _cudnn_batch_norm(x, weight, bias, mean, var, training, momentum, eps):
    return *aten.native_batch_norm(x, weight, bias, mean, var, training, momentum, eps), torch.empty(
        0, dtype=torch.uint8
    )


def _cudnn_batch_norm_backward(x, grad, weight, mean, var, save_mean, save_var, eps, reserve):
    return aten.native_batch_norm_backward(
        grad, x, weight, mean, var, save_mean, save_var, True, eps, [True, True, True]
    )


def _product(a, b, out=None):
    """Products in fp16: without instructions for them a CPU takes a minute for what takes it a second in fp32."""
    if a.dtype != torch.float16:
        return aten.mm.default(a, b) if out is None else aten.mm.out(a, b, out=out)
    found = aten.mm.default(a.float(), b.float())
    return found.half() if out is None else out.copy_(found)


ON_THE_CPU: dict[Any, Callable[..., Any]] = {
    aten.mm.default: _product,
    aten.mm.out: _product,
    aten.cudnn_batch_norm.default: _cudnn_batch_norm,
    aten.cudnn_batch_norm_backward.default: _cudnn_batch_norm_backward,
    **convolutions.ON_THE_CPU,
}
"""Operations that the CPU has under another name, or not in 16 bits."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be known of one of torch's operations: to ask torch each time costs as much as to compute it."""

    func: Any
    computes: Callable[..., Any]
    convolution: bool
    nothing: bool
    sized_by_values: bool
    takes_masks: bool
    in_place: bool
    draws: bool


@cache
def operation(func: Any) -> Operation:
    """What is known of one of torch's operations."""
    return Operation(
        func,
        ON_THE_CPU.get(func, func),
        func in convolutions.ON_THE_CPU,
        func._schema.name in AS_THEY_ARE,
        func in SIZED_BY_VALUES,
        func in MASKED,
        func._schema.is_mutable,
        torch.Tag.nondeterministic_seeded in func.tags,
    )


def computed(operation: Operation, args: Any, options: dict[str, Any]) -> Any:
    """What an operation gives on the CPU; in 32 bits where the CPU has it in no 16."""
    try:
        return operation.computes(*args, **options)
    except (NotImplementedError, RuntimeError) as error:
        # a batch norm of 16-bit images with statistics in 32 bits is one of those that only a device has
        missing = re.search("not implemented for '(Half|BFloat16)'|expected scalar type (Half|BFloat16)", str(error))
        if not missing or operation.in_place:
            raise
    return operation.computes(*mapped(args, low_precision), **mapped(options, low_precision))


def has_mask(indices: Any) -> bool:
    """Whether there is a mask on a device among indices."""
    return any(on_cuda(i) and i.dtype in (torch.bool, torch.uint8) for i in indices if i is not None)
