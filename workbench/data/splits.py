"""Splits: images with labels, in memory or on disk, and how a validation part is held out of one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from workbench.cores import usable_cores
from workbench.data.base import DataError, DataSet, Split
from workbench.data.images import BrokenImage, read_image
from workbench.randomness import generator


class ArraySplit:
    """Images in memory: uint8 ``[N, C, H, W]`` and int64 labels ``[N]``, both on the CPU."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"images must be uint8 [N, C, H, W], not {images.dtype} {list(images.shape)}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise ValueError(f"labels must be int64 [{len(images)}], not {labels.dtype} {list(labels.shape)}")
        self._images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor | None = None) -> Tensor:
        """uint8 ``[n, C, H, W]``: a copy of the images at these positions; without positions the images themselves."""
        return self._images if indices is None else self._images.index_select(0, indices)


class UnseenSplit:
    """Images of which only the number is known, and that every class has as many."""

    def __init__(self, count: int, classes: int) -> None:
        self.labels = torch.arange(count) % classes

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor | None = None) -> Tensor:
        """Raises DataError: nobody has seen them."""
        raise DataError("the images are not there")


class FileSplit:
    """Images on disk, decoded whenever they are asked for; for sets that do not fit in memory.

    shape: what every image has, ``(3, H, W)``; image_size, bits: see :func:`workbench.data.images.read_image`.
    """

    def __init__(
        self, files: Sequence[Path], labels: Tensor, shape: tuple[int, int, int], image_size: int | None, bits: int = 16
    ) -> None:
        self._files = tuple(files)
        self._shape = shape
        self._image_size = image_size
        self._bits = bits
        self.labels = labels

    def __len__(self) -> int:
        return len(self._files)

    def images(self, indices: Tensor | None = None) -> Tensor:
        """uint8 ``[n, 3, H, W]``. Raises DataError with the file's name if one cannot be read any more."""
        files = self._files if indices is None else [self._files[i] for i in indices.tolist()]
        images = torch.empty((len(files), *self._shape), dtype=torch.uint8)

        def decode(place: int) -> None:
            images[place] = self._decode(files[place])

        if get_worker_info() is not None:  # a loader worker is one of several; threads would only crowd them
            for place in range(len(files)):
                decode(place)
        else:
            with ThreadPoolExecutor(usable_cores()) as pool:
                list(pool.map(decode, range(len(files))))
        return images

    def _decode(self, file: Path) -> Tensor:
        try:
            pixels = torch.from_numpy(read_image(file, self._image_size, self._bits))
        except BrokenImage as error:
            raise DataError(f"{file} could be read before, but not now: {error}") from error
        if pixels.shape != self._shape:
            raise DataError(f"{file} has changed its size since the data set was checked; start again")
        return pixels


class Subset:
    """Some images of another split, in the order of ``positions`` (int64 ``[n]``); copies no pixels by itself."""

    def __init__(self, split: Split, positions: Tensor) -> None:
        self._split = split
        self._positions = positions
        self.labels = split.labels[positions]

    def __len__(self) -> int:
        return len(self._positions)

    def images(self, indices: Tensor | None = None) -> Tensor:
        """uint8 ``[n, C, H, W]``; ``indices`` are positions in this subset."""
        return self._split.images(self._positions if indices is None else self._positions[indices])


def training_and_validation(data: DataSet, share: float, seed: int) -> tuple[Split, Split | None]:
    """The images to train on, and the validation set: the data set's own, or a share of its training images.

    Raises DataError where both are there, or if the share holds out none.
    """
    if data.validation is None:
        return hold_out(data.train, share, seed)
    if share:
        raise DataError(
            f"data.validation: the data set has a validation set of its own (images: {len(data.validation):,}); "
            "set validation = 0 to use it"
        )
    return data.train, data.validation


def hold_out(split: Split, share: float, seed: int) -> tuple[Split, Split | None]:
    """Part a split in training and validation, stratified by class; the seed decides which images go where.

    share: of the images, 0 ≤ share < 1; with 0 there is no validation split. Raises DataError if it would be empty.
    """
    if share == 0:
        return split, None
    rest, held = stratified(split.labels, share, seed, "validation")
    if len(held) == 0:
        raise DataError(
            f"data.validation: {share:g} of {len(split)} training images holds out none: "
            "every class must keep one image for training; give more images or set validation = 0"
        )
    return Subset(split, rest), Subset(split, held)


def stratified(labels: Tensor, share: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """Positions of labels (int64 ``[N]``) in two parts, the second with ``share`` of every class; each ascending.

    The second part has ``share * N`` images, rounded, each class ``share`` of its images, rounded up or down; but a
    class with two images or more has at least one in both parts, and a class with a single image keeps it in the first.
    """
    classes, counts = torch.unique(labels, return_counts=True)
    wanted = quotas(counts.tolist(), share)
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label, quota in zip(classes.tolist(), wanted, strict=True):
        members = torch.nonzero(labels == label)[:, 0]
        order = torch.randperm(len(members), generator=generator(seed, purpose, label))
        held[members[order[:quota]]] = True
    return torch.nonzero(~held)[:, 0], torch.nonzero(held)[:, 0]


def quotas(counts: Sequence[int], share: float) -> list[int]:
    """How many of each class to take: largest remainders, then every class in both parts where it can be."""
    exact = [share * count for count in counts]
    taken = [int(value) for value in exact]
    missing = round(share * sum(counts)) - sum(taken)
    largest_first = sorted(range(len(counts)), key=lambda i: (taken[i] - exact[i], i))
    for i in largest_first[:missing]:
        taken[i] += 1
    return [min(max(quota, 1), count - 1) for quota, count in zip(taken, counts, strict=True)]
