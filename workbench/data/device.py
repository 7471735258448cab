"""The device pipeline: the whole set as uint8 on the training device, batches gathered and augmented there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from workbench.data.base import DataError, Split
from workbench.data.batches import Augmentations, Plan, augment
from workbench.out_of_memory import out_of_memory
from workbench.step import Batch, PhaseMarks, Repeated, as_written

_CHUNK = 64 * 2**20  # bytes uploaded at a time, so that a split on disk never lies in memory as a whole


class DevicePipeline:
    """Batches of a split that lies on the device. No step waits for the device or visits images one by one."""

    def __init__(self, plan: Plan, split: Split, device: torch.device, augmentations: Augmentations) -> None:
        self._plan = plan
        self._device = device
        self._augmentations = augmentations
        self._images = upload(split, device)
        self._labels = split.labels.to(device)

    def __len__(self) -> int:
        return len(self._plan)

    def batch_size_of(self, step: int) -> int:
        """How many images a step of an epoch has."""
        return self._plan.batch_size_of(step)

    def epoch(
        self, epoch: int, skip: int = 0, marks: PhaseMarks | None = None, repeated: Repeated = as_written
    ) -> Iterator[Batch]:
        """The batches of an epoch in order, the first ``skip`` of them left out."""
        marks = marks or PhaseMarks()
        order = self._plan.order_on(self._device, epoch)
        make = partial(self._made, epoch)
        for step in range(skip, len(self)):
            marks.phase("augment")
            yield Batch(*repeated("batches", make, epoch, order[self._plan.part(step)]))

    def batch(self, epoch: int, step: int) -> Batch:
        """Any batch of any epoch, the same bits as :meth:`epoch` gives."""
        indices = self._plan.order(epoch)[self._plan.part(step)].to(self._device)
        return self._made(epoch, indices)

    def close(self) -> None:
        """Nothing to end; the images go with the pipeline."""

    def gather(self, indices: Tensor) -> Tensor:
        """The images at these positions (on the device) as they are before augmentation."""
        return self._images.index_select(0, indices)

    def _made(self, epoch: int, indices: Tensor) -> Batch:
        images = augment(self.gather(indices), indices, epoch, self._plan.seed, self._augmentations)
        return Batch(images, self._labels.index_select(0, indices), indices)


def upload(split: Split, device: torch.device) -> Tensor:
    """All images of a split on a device, uint8 ``[N, C, H, W]``; on the CPU without a copy where it can be.

    Raises DataError if they do not fit.
    """
    if device.type == "cpu":
        return split.images()
    shape = split.images(torch.arange(1)).shape[1:]
    try:
        images = torch.empty((len(split), *shape), dtype=torch.uint8, device=device)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        need, free = len(split) * shape.numel() / 2**30, torch.cuda.mem_get_info(device)[0] / 2**30
        raise DataError(
            f"data.pipeline: the images need {need:.1f} GiB on {device}, which has {free:.1f} GiB free; "
            'set pipeline = "loader", or choose another device'
        ) from error
    step = max(1, _CHUNK // shape.numel())
    for start in range(0, len(split), step):
        stop = min(start + step, len(split))
        images[start:stop] = split.images(torch.arange(start, stop)).to(device)
    return images
