"""From floating point back to uint8 images."""

from __future__ import annotations

import torch
from torch import Tensor


def as_uint8(x: Tensor) -> Tensor:
    """Numbers of 0–255 as uint8, fractions cut off."""
    # By way of int16: torch converts float to uint8 one element at a time on a CPU, five times as slowly.
    return x.to(torch.int16).to(torch.uint8)
