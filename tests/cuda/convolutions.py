"""Convolutions, which cuDNN plans at run time: launched here by name, computed by torch's CPU kernels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch._prims_common import suggest_memory_format

from tests.cuda import runtime

aten = torch.ops.aten
FORWARD, BACKWARD = aten.convolution.default, aten.convolution_backward.default


def low_precision(x: Any) -> Any:
    """A tensor of 16-bit numbers in 32 bits, which every CPU kernel knows; anything else as it is."""
    return x.float() if isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16) else x


def _convolution(x, weight, bias, *rest):
    return FORWARD(low_precision(x), low_precision(weight), low_precision(bias), *rest).to(x.dtype)


def _convolution_backward(grad, x, weight, *rest):
    found = BACKWARD(low_precision(grad), low_precision(x), low_precision(weight), *rest)
    return tuple(t if t is None else t.to(like.dtype) for t, like in zip(found, (x, weight, weight), strict=True))


ON_THE_CPU = {FORWARD: _convolution, BACKWARD: _convolution_backward}


def launched(func: Any, args: Any) -> Any:
    """What the operation returns on a device, not computed yet: its launches are noted on the current stream.

    Raises RuntimeError for tensors of several devices or types, as torch does.
    """
    tensors = [x for x in args[:3] if isinstance(x, Tensor)]
    if len({t.device for t in tensors}) > 1:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found {[str(t.device) for t in tensors]}"
        )
    if len({t.dtype for t in tensors}) > 1:
        raise RuntimeError(f"Input type and weight type should be the same: {[str(t.dtype) for t in tensors]}")
    if func is FORWARD:
        x, weight, bias = args[:3]
        _note(x, b"cudnn convolution")
        if bias is not None:
            _note(x, b"cudnn bias")
        shape = _shape(x, weight, *args[3:])
        return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_format(x, weight))
    grad, x, weight = args[:3]
    wanted = args[-1]
    made = []
    for asked, name, shape in zip(
        wanted,
        (b"cudnn convolution, gradient of images", b"cudnn convolution, gradient of weights", b"gradient of bias"),
        (x.shape, weight.shape, (grad.shape[1],)),
        strict=True,
    ):
        if asked:
            _note(x, name)
        form = _format(x, weight) if len(shape) == 4 else torch.contiguous_format
        made.append(torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=form) if asked else None)
    return tuple(made)


def _shape(
    x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, transposed: bool, output: Any, groups: int
) -> Sequence[int]:
    """Of the result; torch is asked, which imports sympy for it, only where it may have something against it."""
    spread = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=False)]
    rest = [n + 2 * p - s for n, p, s in zip(x.shape[2:], padding, spread, strict=False)]
    if transposed or len(rest) != 2 or x.ndim != 4 or x.shape[1] != weight.shape[1] * groups or min(rest) < 1:
        settings = stride, padding, dilation, transposed, output, groups
        return FORWARD(x.to("meta"), weight.to("meta"), None, *settings).shape
    return x.shape[0], weight.shape[0], *((n - 1) // step + 1 for n, step in zip(rest, stride, strict=True))


def _note(x: Tensor, name: bytes) -> None:
    index = x.get_device()
    with torch.cuda.device(index) if index != torch.cuda.current_device() else nullcontext():
        if runtime.work(name, torch._C._cuda_getCurrentRawStream(index)):
            raise RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")  # whatever the driver said


def _format(x: Tensor, weight: Tensor) -> torch.memory_format:
    """As cuDNN is asked: a part of an image that is channels-last counts as well."""
    last = any(t.ndim == 4 and suggest_memory_format(t) == torch.channels_last for t in (x, weight))
    return torch.channels_last if last else torch.contiguous_format
