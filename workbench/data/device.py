"""The device pipeline: the whole set as uint8 on the training device, batches gathered and augmented there."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from workbench.data.base import DataError, Split
from workbench.data.batches import Plan, augment
from workbench.engine.slots import Filler
from workbench.out_of_memory import out_of_memory
from workbench.step import Batch, Marks

_CHUNK = 64 * 2**20  # bytes uploaded at a time, so that a split on disk never lies in memory as a whole
_TOGETHER = 6 * 2**20
"""Bytes of uint8 images that a GPU augments at once: as many launches for sixteen batches of 128 as for one."""


class DevicePipeline:
    """Batches of a split that lies on the device. No step waits for the device or visits images one by one.

    together: so many batches are made at once, where each would be little work for a GPU. An epoch is always parted in
    the same way, wherever it is entered: an operation may add up a larger tensor's numbers in another order.
    """

    def __init__(self, plan: Plan, split: Split, device: torch.device, augmentations: tuple[Filler, ...]) -> None:
        self._plan = plan
        self._device = device
        self._augmentations = augmentations
        self._images = upload(split, device)
        self._labels = split.labels.to(device)
        size = plan.batch_size * self._images[:1].numel()
        self.together = max(1, _TOGETHER // size) if device.type == "cuda" else 1

    def __len__(self) -> int:
        return len(self._plan)

    def batch_size_of(self, step: int) -> int:
        """How many images a step of an epoch has."""
        return self._plan.batch_size_of(step)

    def epoch(self, epoch: int, skip: int = 0, marks: Marks | None = None) -> Iterator[Batch]:
        """The batches of an epoch in order, the first ``skip`` of them left out."""
        marks = marks or Marks()
        order = self._plan.order_on(self._device, epoch)
        while skip < len(self):
            marks.at("augment")
            for batch in self._batches(epoch, order, skip):
                yield batch
                skip += 1

    def batch(self, epoch: int, step: int) -> Batch:
        """Any batch of any epoch, the same bits as :meth:`epoch` gives."""
        self._plan.part(step)
        return self._batches(epoch, self._plan.order(epoch).to(self._device), step)[0]

    def close(self) -> None:
        """Nothing to end; the images go with the pipeline."""

    def gather(self, indices: Tensor) -> Tensor:
        """The images at these positions (on the device) as they are before augmentation."""
        return self._images.index_select(0, indices)

    def _batches(self, epoch: int, order: Tensor, step: int) -> list[Batch]:
        """The batches from a step on that are made together with its own, or it alone where memory is too small."""
        first = step - step % self.together
        last = min(first + self.together, len(self)) - 1
        try:
            whole = self._made(epoch, order[self._plan.part(first).start : self._plan.part(last).stop])
        except RuntimeError as error:
            if self.together == 1 or not out_of_memory(error):
                raise
            self.together = 1
            return self._batches(epoch, order, step)
        size = self._plan.batch_size
        parts = zip(*(torch.split(part, size) for part in whole), strict=True)
        return [Batch(*part) for part in parts][step - first :]

    def _made(self, epoch: int, indices: Tensor) -> Batch:
        images = self.gather(indices)
        images = augment(images, indices, epoch, self._plan.seed, self._augmentations)
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
