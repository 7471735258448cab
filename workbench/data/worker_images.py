"""What a loader worker does: it reads and augments whole batches, and hands them over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from workbench.data.base import DataError, Split
from workbench.data.batches import Augmentations, augment
from workbench.data.parcel import Parcel

Place = tuple[int, list[int]]
"""What the sampler tells a worker: an epoch, and the positions of a batch's images in the split."""


@dataclass(frozen=True)
class Failure:
    """Sent by a worker instead of a batch: an exception would arrive with the worker's whole traceback as its text."""

    message: str


@dataclass(frozen=True)
class Piped:
    """A batch that found no room in shared memory, uint8 ``[N, C, H, W]``: its pixels go through the workers' pipe.

    torch would share it while sending, in a thread whose errors nobody hears: the batch would just never come.
    """

    pixels: NDArray[np.uint8]


class Images(Dataset[Any]):
    """Makes the images of batches; runs in workers. An "item" is a whole batch, so that all of it is augmented at once.

    Labels and positions are known where the batch is used; sending them along too costs a third of the loader's rate.
    """

    def __init__(self, split: Split, seed: int, augmentations: Augmentations) -> None:
        self._split = split
        self._seed = seed
        self._augmentations = augmentations
        self._parcel: Parcel | None = None

    def __getitem__(self, place: Place) -> Tensor | Failure | Piped:
        try:
            epoch, positions = place
            made = self.make(epoch, torch.tensor(positions))
        except DataError as error:
            return Failure(str(error))
        if get_worker_info() is None:
            return made
        try:
            made.share_memory_()  # type: ignore[no-untyped-call]
            return made
        except (RuntimeError, OSError):
            return Piped(made.numpy())

    def __reduce__(self) -> tuple[type[SentImages], tuple[Parcel]]:
        return SentImages, (self.pack(),)

    def pack(self) -> Parcel:
        """What goes to workers that are not forks, made once. Raises DataError if something in it cannot be sent."""
        if self._parcel is None:
            try:
                self._parcel = Parcel((self._split, self._seed, self._augmentations))
            except Exception as error:
                raise self._not_sent(error) from error
        return self._parcel

    def _not_sent(self, error: Exception) -> DataError:
        parts = {each.owner: each for each in self._augmentations} | {"the data set": self._split}
        for name, part in parts.items():
            try:
                Parcel(part)
            except Exception as its_error:
                advice = "make what cannot be pickled (an open file, a lock) when first used, or set data.workers = 0"
                return DataError(f"{name} cannot be sent to loader workers: {_one_line(its_error)}; {advice}")
        return DataError(f"the data cannot be sent to loader workers: {_one_line(error)}; set data.workers = 0")

    def make(self, epoch: int, indices: Tensor) -> Tensor:
        return augment(self.read(indices), indices, epoch, self._seed, self._augmentations)

    def read(self, indices: Tensor) -> Tensor:
        return self._split.images(indices)


class SentImages(Dataset[Any]):
    """The same in a worker that is no fork: opened when the first batch is asked for, so that a fault can be told."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel
        self._images: Images | None = None

    def __getitem__(self, place: Place) -> Tensor | Failure | Piped:
        if self._images is None:
            try:
                self._images = Images(*self._parcel.open())
            except Exception as error:
                return Failure(f"a loader worker cannot open the data: {_one_line(error)}; set data.workers = 0")
        return self._images[place]


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
