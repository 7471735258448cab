"""Affine warps: rotation, shear and translation, an own matrix for every image.

A matrix, ``[2, 3]``, takes a place in the result to the place in the image that is seen there. Places are (x to the
right, y down), in pixels from the image's centre.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def warp(x: Tensor, matrices: Tensor, interpolation: str = "nearest") -> Tensor:
    """Warp images ``[N, C, H, W]`` by matrices ``[N, 2, 3]``, both float32; black comes in from outside.

    interpolation: ``"nearest"`` or ``"bilinear"``, rounded to whole values.
    """
    height, width = x.shape[2:]
    across = torch.arange(width, device=x.device) - (width - 1) / 2
    down = torch.arange(height, device=x.device)[:, None] - (height - 1) / 2
    # From here on the unit is half an image, as grid_sample wants it. Products and sums are taken one by one and in
    # torchvision's order, so that a place halfway between two pixels is rounded to the same one.
    rows = torch.stack((matrices[:, 0] / (width / 2), matrices[:, 1] / (height / 2)), dim=1)[..., None, None]
    grid = (across * rows[:, :, 0] + down * rows[:, :, 1]).add_(rows[:, :, 2])
    warped = grid_sample(x, grid.permute(0, 2, 3, 1), mode=interpolation, padding_mode="zeros", align_corners=False)
    return warped if interpolation == "nearest" else warped.round_()


def rotation(degrees: Tensor) -> Tensor:
    """Matrices that turn images anticlockwise about their centre: floating point ``[N]`` → float32 ``[N, 2, 3]``."""
    radians = torch.deg2rad(degrees.double())
    cosine, sine, zero = torch.cos(radians), torch.sin(radians), torch.zeros_like(radians)
    return torch.stack((cosine, -sine, zero, sine, cosine, zero), dim=1).view(-1, 2, 3).float()


def shear_x(degrees: float, height: int) -> Tensor:
    """The matrix that leans an image to the left by an angle, its top edge staying where it is; float32 ``[2, 3]``."""
    slope = math.tan(math.radians(degrees))
    return torch.tensor([[1.0, slope, slope * height / 2], [0.0, 1.0, 0.0]])


def shear_y(degrees: float, width: int) -> Tensor:
    """The matrix that leans an image upwards by an angle, its left edge staying where it is; float32 ``[2, 3]``."""
    slope = math.tan(math.radians(degrees))
    return torch.tensor([[1.0, 0.0, 0.0], [slope, 1.0, slope * width / 2]])


def translation(right: int, down: int) -> Tensor:
    """The matrix that shifts an image by whole pixels; float32 ``[2, 3]``."""
    return torch.tensor([[1.0, 0.0, -float(right)], [0.0, 1.0, -float(down)]])
