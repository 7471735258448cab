"""Decoding every image of a folder before training starts: what is cut short or damaged is found here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.cores import usable_cores
from workbench.data.base import DataError
from workbench.data.images import BrokenImage, read_image

_CHUNK = 256  # files decoded ahead of what is stored


@dataclass
class Verified:
    """What was found. ``images``: uint8 ``[n, 3, H, W]`` of the files that are not broken, in their order, or None if
    they exceed the limit; ``broken``: file → reason."""

    shape: tuple[int, int, int] = (3, 0, 0)
    images: NDArray[np.uint8] | None = None
    broken: dict[Path, str] = field(default_factory=dict)


def verify(
    files: Sequence[Path], image_size: int | None, bits: int, limit: int, report: Callable[[int], None]
) -> Verified:
    """Really decode all files, with threads; keep the images if they have at most ``limit`` bytes together.

    image_size, bits: see :func:`workbench.data.images.read_image`. ``report`` hears how many are done now and then.
    Raises DataError if two images differ in size (and no image_size is given).
    """
    found = Verified()
    first: Path | None = None
    stored = 0

    def read(file: Path) -> NDArray[np.uint8] | BrokenImage:
        try:
            return read_image(file, image_size, bits)
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
                    raise DataError(
                        f"images differ in size: {first} has {found.shape[2]}×{found.shape[1]} pixels, {file} has "
                        f"{image.shape[2]}×{image.shape[1]}; set data.image_size to bring all to one square"
                    )
                if found.images is not None:
                    found.images[stored] = image
                stored += 1
            report(min(start + _CHUNK, len(files)))
    return found
