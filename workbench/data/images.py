"""Image files as uint8 arrays: whatever colours a file has, it becomes RGB."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
"""The file names, by their ends, that are taken for images; case does not matter."""


class BrokenImage(Exception):
    """A file that cannot be read as an image; the text says why."""


def read_image(file: Path, image_size: int | None = None) -> NDArray[np.uint8]:
    """Decode a file completely: uint8 ``[3, H, W]``, upright (EXIF orientation applied), first frame if it has several.

    Grey and palette images become RGB; an alpha channel is left out, as torchvision's folders do; 16 bits a channel
    keep their upper 8. image_size: scale the shorter side to it (bilinear, antialiased), then cut the central square;
    None keeps the image's own size. Raises BrokenImage.
    """
    try:
        with Image.open(file) as opened:
            opened.load()
            image: Image.Image = opened
            with suppress(Exception):  # damaged EXIF data is no reason to lose an image that decodes
                image = ImageOps.exif_transpose(opened)
            image = _to_rgb(image)
        if image_size is not None:
            image = _square(image, image_size)
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
    except BrokenImage:
        raise
    except (
        Exception
    ) as error:  # Pillow's decoders raise nearly everything: OSError, SyntaxError, ValueError, struct.error
        raise BrokenImage(_reason(error, file)) from error


def odd_size(file: Path, image_size: int) -> str:
    """What is odd about a file's size where a square of ``image_size`` is made of it; "" if nothing is.

    Looks at its header only. Raises BrokenImage.
    """
    try:
        with Image.open(file) as opened:
            width, height = opened.size
    except Exception as error:
        raise BrokenImage(_reason(error, file)) from error
    shorter, longer = sorted((width, height))
    if 2 * shorter < image_size:
        return f"its {width}×{height} pixels are enlarged to {image_size}×{image_size}"
    if longer > 3 * shorter:
        return f"of its {width}×{height} pixels only the central square is seen"
    return ""


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow's own conversion would cut 16 bits off at 255 and show white
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise BrokenImage("its pixels are 32-bit integers, whose range is not known; save it with 8 or 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise BrokenImage("its pixels are floating-point numbers, whose range is not known; save it with 8 or 16 bits")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _square(image: Image.Image, size: int) -> Image.Image:
    """Shorter side to size, then the central square; sizes and offsets as in torchvision's Resize and CenterCrop."""
    width, height = image.size
    if width <= height:
        scaled = (size, int(size * height / width))
    else:
        scaled = (int(size * width / height), size)
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = round((scaled[0] - size) / 2), round((scaled[1] - size) / 2)
    return image.crop((left, top, left + size, top + size))


def _reason(error: Exception, file: Path) -> str:
    text = " ".join(str(error).split()).replace(str(file), "the file")
    return text or type(error).__name__
