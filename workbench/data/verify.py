"""Decoding every image of a folder before training starts: what is broken or of another size is found here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.data.base import DataError
from workbench.data.images import BrokenImage, odd_size, read_image
from workbench.data.splits import usable_cores

_CHUNK = 256  # files decoded ahead of what is stored
_REPORT_SECONDS = 2.0


@dataclass
class Verified:
    """What was found. ``images``: uint8 ``[n, 3, H, W]`` of the files that are not broken, in their order, or None if
    they exceed the limit; ``broken``, ``odd``: file → reason; ``seen``: how many files were tried."""

    shape: tuple[int, int, int] = (3, 0, 0)
    images: NDArray[np.uint8] | None = None
    broken: dict[Path, str] = field(default_factory=dict)
    odd: dict[Path, str] = field(default_factory=dict)
    seen: int = 0


def verify(files: Sequence[Path], image_size: int | None, limit: int, report: Callable[[str], None]) -> Verified:
    """Really decode all files, with threads; keep the images if they have at most ``limit`` bytes together.

    Raises DataError if two images differ in size (and no image_size is given) or none can be read.
    """
    found = Verified(seen=len(files))
    first: Path | None = None
    stored = 0
    reported = time.monotonic()

    def read(file: Path) -> NDArray[np.uint8] | BrokenImage:
        try:
            if image_size is not None and (why := odd_size(file, image_size)):
                found.odd[file] = why
            return read_image(file, image_size)
        except BrokenImage as error:
            return error

    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            for file, image in zip(chunk, pool.map(read, chunk), strict=True):
                if isinstance(image, BrokenImage):
                    found.broken[file] = str(image)
                    continue
                if first is None:
                    first, found.shape = file, (image.shape[0], image.shape[1], image.shape[2])
                    if len(files) * image.size <= limit:
                        found.images = np.empty((len(files), *image.shape), dtype=np.uint8)
                if image.shape != found.shape:
                    raise _different_sizes(first, found.shape, file, image.shape)
                if found.images is not None:
                    found.images[stored] = image
                stored += 1
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                report(f"checking images: {start + len(chunk):,} of {len(files):,}")
    if first is None:
        raise DataError(f"none of {len(files)} images can be read, such as {files[0]}: {found.broken[files[0]]}")
    return found


def _different_sizes(first: Path, size: tuple[int, ...], file: Path, other: tuple[int, ...]) -> DataError:
    smallest = min(size[1:] + other[1:])
    return DataError(
        f"images differ in size: {first} has {size[2]}×{size[1]} pixels, {file} has {other[2]}×{other[1]}; "
        f"set data.image_size to bring all to one square, such as image_size = {smallest}"
    )
