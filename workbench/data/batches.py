"""Which images make which batch, and their augmentation: what both pipelines have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.randomness import SampleRng, generator
from workbench.registered import Registered

Augmentations = tuple[Registered[[Tensor, SampleRng], Tensor], ...]
"""Functions of uint8 images ``[N, C, H, W]`` and their draws, in their order."""


def order(seed: int, epoch: int, n: int) -> Tensor:
    """int64 ``[n]`` on the CPU: the shuffled order of n images in an epoch."""
    return torch.randperm(n, generator=generator(seed, "shuffle", epoch))


@dataclass(frozen=True)
class Plan:
    """How the images of every epoch are parted into batches."""

    seed: int
    images: int
    batch_size: int
    drop_last: bool

    def __len__(self) -> int:
        """Steps in an epoch; 0 if ``drop_last`` leaves out the only batch."""
        return self.images // self.batch_size if self.drop_last else -(-self.images // self.batch_size)

    def part(self, step: int) -> slice:
        """Where a step's images stand in the epoch's order. Raises IndexError for a step that an epoch has not."""
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} of an epoch of {len(self)} steps")
        return slice(step * self.batch_size, min((step + 1) * self.batch_size, self.images))

    def batch_size_of(self, step: int) -> int:
        """How many images a step of an epoch has."""
        part = self.part(step)
        return int(part.stop - part.start)

    def order(self, epoch: int) -> Tensor:
        """int64 ``[images]`` on the CPU: the order of an epoch."""
        return order(self.seed, epoch, self.images)

    def order_on(self, device: torch.device, epoch: int) -> Tensor:
        """The same on a device. A GPU gets it from page-locked memory, so that no epoch begins with a wait for it."""
        found = self.order(epoch)
        return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found.to(device)


def augment(images: Tensor, indices: Tensor, epoch: int, seed: int, augmentations: Augmentations) -> Tensor:
    """Apply the image augmentations in their order, each with its own draws for each image.

    images: uint8 ``[N, C, H, W]``; indices: int64 ``[N]``, the images' positions in the training split.
    """
    rng = SampleRng.of_each(seed, [each.name for each in augmentations], epoch, indices)
    for each, drawn in zip(augmentations, rng, strict=True):
        images = each(images, drawn)
    return images
