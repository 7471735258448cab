"""Planted bottlenecks: techniques that make one part of a training slow."""

from __future__ import annotations

import time

import torch
from torch.nn.functional import cross_entropy

from tests.cuda.timing import busy
from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique


class SlowTransform(Technique):
    """An augmentation that sleeps for each image, or keeps a GPU at work for so long: no recording repeats a sleep."""

    name = "slow_transform"
    group = "augmentation"
    milliseconds: float = parameter(1.0, ge=0, description="for each image")
    works: bool = parameter(False, description="on a GPU it is the GPU that takes the time")
    looks: bool = parameter(False, description="reads a number of each batch")

    def register(self, build):
        """Sleep where images are augmented."""
        build.hooks.image_augmentation.add(self._sleep)

    def _sleep(self, images, rng):
        seconds = self.milliseconds * len(images) / 1000
        if self.works and images.is_cuda:
            busy(seconds)
        else:
            time.sleep(seconds)
        if self.looks:
            images.sum().item()
        return images


class Sync(Technique):
    """Something after each update that keeps the step waiting, as for another process."""

    name = "sync"
    group = "averaging"
    milliseconds: float = parameter(20.0, ge=0, description="of a step")

    def register(self, build):
        """Wait after each update."""
        build.hooks.after_step.add(self._wait)

    def _wait(self, context, skip):
        time.sleep(self.milliseconds / 1000)


class TwoPasses(Technique):
    """Computes every gradient twice, as techniques that wrap it may."""

    name = "two_passes"
    group = "gradients"

    def register(self, build):
        """Wrap forward and backward."""

        def wrap(compute, model):
            def twice(images, targets):
                compute(images, targets)
                return compute(images, targets)

            return twice

        build.hooks.gradient.add(wrap)


class DeviceWork(Technique):
    """A loss that has the GPU work for a planted time, and may want to see itself."""

    name = "device_work"
    group = "loss"
    milliseconds: float = parameter(0.0, ge=0, description="of a batch, whatever its size")
    microseconds: float = parameter(0.0, ge=0, description="of an image")
    mebibytes: int = parameter(0, ge=0, description="of an image, needed for a moment")
    waits: bool = parameter(False, description="looks at the loss")

    def register(self, build):
        """Be the criterion."""
        build.hooks.criterion.add(self._loss)

    def _loss(self, logits, targets):
        busy(self.milliseconds / 1e3 + self.microseconds / 1e6 * len(logits))
        torch.empty(0, dtype=torch.uint8, device=logits.device).resize_(self.mebibytes * 2**20 * len(logits))
        loss = cross_entropy(logits, targets)
        if self.waits:
            loss.item()
        return loss


class HostWork(Technique):
    """Work for the processor after each update, by its own clock: other programs make it no longer."""

    name = "host_work"
    group = "averaging"
    milliseconds: float = parameter(0.0, ge=0, description="of a batch, whatever its size")

    def register(self, build):
        """Work after each update."""
        build.hooks.after_step.add(lambda context, skip: work(self.milliseconds / 1e3))


class ImageWork(Technique):
    """A loss that takes the processor so long for each image."""

    name = "image_work"
    group = "loss"
    milliseconds: float = parameter(1.0, ge=0, description="of an image")

    def register(self, build):
        """Be the criterion."""
        build.hooks.criterion.add(self._loss)

    def _loss(self, logits, targets):
        work(self.milliseconds / 1e3 * len(logits))
        return cross_entropy(logits, targets)


class Hoard(Technique):
    """Takes memory of the device and keeps it."""

    name = "hoard"
    group = "precision and speed"
    mebibytes: int = parameter(1, ge=1, description="how much")

    def register(self, build):
        """Take it, for as long as there is the build."""
        held = torch.empty(self.mebibytes * 2**20, dtype=torch.uint8, device=build.device)
        build.hooks.after_step.add(lambda context, skip, held=held: None)


def work(seconds):
    """Keep the processor busy for so long, by the thread's own clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


PLANTS = (SlowTransform, Sync, TwoPasses, DeviceWork, HostWork, ImageWork, Hoard)
