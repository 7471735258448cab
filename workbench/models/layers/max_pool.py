"""2×2 max pooling at the speed of a GPU's memory."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from workbench.device_lost import pass_on
from workbench.out_of_memory import out_of_memory

log = logging.getLogger(__name__)

FORMATS = (torch.float32, torch.float16, torch.bfloat16)
MOST = 2**31 - 1
"""Numbers of a tensor that the kernels count in 32 bits."""


class MaxPool(nn.MaxPool2d):
    """``nn.MaxPool2d(2)``, to the bit: ``[N, C, H, W]`` to ``[N, C, H // 2, W // 2]``.

    Channels-last images on a GPU are pooled by kernels of our own, where Triton is installed and they have proven to
    give torch's numbers on that GPU; they have a first derivative, no second. Networks that torch.compile compiles have
    the compiler's own.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        if x.is_cuda and not torch.compiler.is_compiling() and suited(x) and proven(x.device, x.dtype, x.shape[1]):
            pooled: Tensor = _Pool.apply(x)
            return pooled
        plain: Tensor = super().forward(x)
        return plain


def suited(x: Tensor) -> bool:
    """Whether the kernels take such images."""
    return (
        x.ndim == 4
        and x.dtype in FORMATS
        and x.is_contiguous(memory_format=torch.channels_last)
        and min(x.shape[2:]) >= 2
        and 0 < x.numel() <= MOST
    )


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        from workbench.models.layers.max_pool_kernels import pool

        with torch.cuda.device(x.device):
            y, places = pool(x)
        ctx.save_for_backward(places)
        ctx.sizes = x.shape[2:]
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        from workbench.models.layers.max_pool_kernels import pool_gradient

        (places,) = ctx.saved_tensors
        with torch.cuda.device(gradient.device):
            gradient = gradient.contiguous(memory_format=torch.channels_last)
            return pool_gradient(gradient, places, *ctx.sizes)


def proven(device: torch.device, dtype: torch.dtype, channels: int) -> bool:
    """Whether the kernels give torch's numbers on a device for images with so many channels.

    Tried once for each number, as some have kernels of their own; that waits for the device, and is never done while it
    records. Where it cannot be tried, it is for no number.
    """
    kind, any_number = (device, dtype, channels), (device, dtype, 0)
    if any_number in _tried:
        return False
    if kind not in _tried:
        if torch.cuda.is_current_stream_capturing():
            return False
        try:
            _tried[kind] = _proven(*kind)
        except Exception as error:  # no Triton, no compiler for it, a card that it does not know
            pass_on(error)
            log.warning("2×2 max pooling is torch's own: %s: %s", type(error).__name__, error)
            if not out_of_memory(error):  # then another time
                _tried[any_number] = False
            return False
    return _tried[kind]


_tried: dict[tuple[torch.device, torch.dtype, int], bool] = {}


def _proven(device: torch.device, dtype: torch.dtype, channels: int) -> bool:
    from workbench.models.layers.max_pool_kernels import pool, pool_gradient

    with torch.cuda.device(device):
        return same_as_torch(pool, pool_gradient, device, dtype, channels)


def same_as_torch(pool: Any, pool_gradient: Any, device: torch.device, dtype: torch.dtype, channels: int = 24) -> bool:
    """Whether kernels pool like torch: small numbers, so that many are equal, some NaN and infinite, odd sizes."""
    shape = (3, channels, 7, 9)
    numbers = torch.arange(3 * channels * 7 * 9, device=device)
    x = (numbers * 7919 % 1009 % 7 - 3).to(dtype)
    x = x.where(numbers % 53 != 0, torch.nan).where(numbers % 31 != 0, -torch.inf)
    x = x.view(shape).contiguous(memory_format=torch.channels_last)
    with torch.enable_grad():
        plain = x.clone().requires_grad_()
        expected = max_pool2d(plain, 2)
        upward = (torch.arange(expected.numel(), device=device) * 31 % 101 - 50).to(dtype).view_as(expected)
        (wanted,) = torch.autograd.grad(expected, plain, upward)
    y, places = pool(x)
    found = pool_gradient(upward.contiguous(memory_format=torch.channels_last), places, *shape[2:])
    return torch.equal(found, wanted) and torch.equal(y.nan_to_num(99, 98, 97), expected.nan_to_num(99, 98, 97))
