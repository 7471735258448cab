"""Padding that leaves images in the memory format in which they came."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def padded(x: Tensor, sides: tuple[int, int, int, int], mode: str) -> Tensor:
    """``torch.nn.functional.pad`` of ``[N, C, H, W]``; channels-last stays so, where torch on a GPU changes it back."""
    result = pad(x, sides, mode=mode)
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        return result.contiguous(memory_format=torch.channels_last)
    return result
