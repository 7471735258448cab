"""Blends of an image with its grey (color) and with its own blur (sharpness).

They take and give images ``[N, 1 or 3, H, W]`` in float32; results may lie outside 0–255 and between whole values.
"""

from __future__ import annotations

from torch import Tensor

# addcmul_ and add_ with a factor round once, as the torchvision functions do that these must equal.


def grey(x: Tensor) -> Tensor:
    """Luma of images with whole values, ``[N, 1, H, W]``, fractions cut off; one channel stays as it is.

    The weights are torchvision's, ITU-R 601 in four digits.
    """
    if x.shape[1] == 1:
        return x
    red, green, blue = x[:, 0:1], x[:, 1:2], x[:, 2:3]
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


def color(x: Tensor, greys: Tensor, factors: Tensor) -> Tensor:
    """Blend images with their greys, ``[N, 1, H, W]``; factors: float32 ``[N, 2]``, the image's and the grey's.

    (1, 0) changes nothing, (0, 1) gives grey; a negative second one gives stronger colours.
    """
    factors = factors[..., None, None]
    return (x * factors[:, :1]).addcmul_(greys, factors[:, 1:])


def sharpness(x: Tensor, factors: Tensor) -> Tensor:
    """Blend images, in place, with their blur; factors: float32 ``[N, 1]``, the blur's share; the image has the rest.

    0 changes nothing, 1 gives the blur, negative ones sharpen. The outermost pixels have no blur and stay as they are.
    """
    if min(x.shape[2:]) > 2:
        inner = x[:, :, 1:-1, 1:-1]
        inner.addcmul_(_blur(x).sub_(inner), factors[..., None, None])
    return x


def _blur(x: Tensor) -> Tensor:
    """The rounded mean of 3×3 pixels, the middle one counted five times; two rows and two columns smaller than x."""
    columns = (x[:, :, :-2] + x[:, :, 1:-1]).add_(x[:, :, 2:])
    sums = (columns[..., :-2] + columns[..., 1:-1]).add_(columns[..., 2:])
    return sums.add_(x[:, :, 1:-1, 1:-1], alpha=4).mul_(1 / 13).round_()
