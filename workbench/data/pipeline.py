"""How images reach the training step: the two pipelines under one contract, and the batches of evaluation.

A recipe gives the same batches, bit for bit, whatever number of workers makes them, and on the CPU by either pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from workbench.data.base import DataError, Split
from workbench.data.batches import Augmentations, Plan, order
from workbench.data.device import DevicePipeline, upload
from workbench.data.loader import LoaderPipeline
from workbench.out_of_memory import out_of_memory
from workbench.recipe.schema import Data
from workbench.step import Batch, PhaseMarks, Repeated, as_written

__all__ = ["EvaluationSet", "Pipeline", "evaluation_batches", "make_pipeline", "order", "split_bytes"]

KEPT_BYTES = 2 * 2**30
"""An evaluation split up to this size stays on the device between evaluations."""


class Pipeline(Protocol):
    """Training batches on the training device, after image augmentation: uint8 images, int64 labels and indices."""

    def __len__(self) -> int:
        """Steps in an epoch; 0 where ``drop_last`` leaves out the only batch."""
        ...

    def batch_size_of(self, step: int) -> int:
        """How many images a step of an epoch has."""
        ...

    def epoch(
        self, epoch: int, skip: int = 0, marks: PhaseMarks | None = None, repeated: Repeated = as_written
    ) -> Iterator[Batch]:
        """The batches of an epoch in order, the first ``skip`` of them left out (and not made). One epoch at a time.

        marks hears where "transfer" and "augment" begin; what comes before is the wait for data. repeated: calls what
        makes a batch on a GPU, if it is made there; where it repeats recordings, a batch is there until the next is
        asked for. Raises DataError if a file cannot be read or a worker dies.
        """
        ...

    def batch(self, epoch: int, step: int) -> Batch:
        """Any batch of any epoch, the same bits as :meth:`epoch` gives; made in the calling thread."""
        ...

    def gather(self, indices: Tensor) -> Tensor:
        """uint8 ``[n, C, H, W]``: images before augmentation, where augmentation takes place; indices lie there too."""
        ...

    def close(self) -> None:
        """End the workers, if there are any; a later :meth:`epoch` starts them again."""
        ...


def make_pipeline(
    data: Data,
    split: Split,
    device: torch.device | str,
    seed: int,
    augmentations: Augmentations,
    report: Callable[[str], None] = lambda message: None,
) -> Pipeline:
    """The pipeline that the recipe chose, over the training split. Raises DataError if there is nothing to feed.

    report hears what is to be said while batches are awaited, in the thread that awaits them.
    """
    if len(split) == 0:
        raise DataError("data: there are no training images")
    device = torch.device(device)
    plan = Plan(seed, len(split), data.batch_size, data.drop_last)
    if data.pipeline == "device":
        return DevicePipeline(plan, split, device, augmentations)
    return LoaderPipeline(plan, split, device, augmentations, data, report)


class EvaluationSet:
    """A split in order, unaugmented, on the device; iterate as often as needed. Its length is the number of images.

    batch_size: how many at a time; it may be made smaller between two of them, where memory is too small.
    keep: hold the images on the device between evaluations; None: if they have at most KEPT_BYTES. Batches may be views
    of what is kept: do not write to them.
    """

    def __init__(self, split: Split, device: torch.device | str, batch_size: int, keep: bool | None = None) -> None:
        self._split = split
        self._device = torch.device(device)
        self.batch_size = min(batch_size, max(1, len(split)))
        self._keep = split_bytes(split) <= KEPT_BYTES if keep is None else keep
        self._labels = split.labels.to(self._device)
        self._images: Tensor | None = None

    def __len__(self) -> int:
        return len(self._split)

    def __iter__(self) -> Iterator[Batch]:
        start = 0
        while start < len(self):
            batch = self.batch(start)
            yield batch
            start += len(batch.labels)

    def batch(self, start: int) -> Batch:
        """The images from a place on, as many as a batch has, or as there are."""
        if self._keep and self._images is None:
            self._images = self._kept()
        stop = min(start + self.batch_size, len(self))
        if self._images is not None:
            images = self._images[start:stop]
        else:
            images = self._split.images(torch.arange(start, stop)).to(self._device)
        return Batch(images, self._labels[start:stop], torch.arange(start, stop, device=self._device))

    @property
    def on_device(self) -> bool:
        """Whether the images lie there already."""
        return self._images is not None

    def _kept(self) -> Tensor | None:
        """The images on the device, or None where there is no room: then they come batch by batch, each time."""
        try:
            return upload(self._split, self._device)
        except DataError as error:
            if not out_of_memory(error):
                raise
        self._keep = False
        return None


def evaluation_batches(split: Split, device: torch.device | str, batch_size: int) -> Iterator[Batch]:
    """A split once, in order, unaugmented, nothing kept."""
    return iter(EvaluationSet(split, device, batch_size, keep=False))


def split_bytes(split: Split) -> int:
    """How many bytes a split's images have as uint8, on a device or in memory."""
    return len(split) * split.images(torch.arange(1)).numel() if len(split) else 0
