"""Planted bottlenecks: techniques that make one part of a training slow."""

from __future__ import annotations

import time

from workbench.recipe.cards import parameter
from workbench.techniques.base import Technique


class SlowTransform(Technique):
    """An augmentation that sleeps for each image."""

    name = "slow_transform"
    group = "augmentation"
    milliseconds: float = parameter(1.0, ge=0, description="for each image")

    def contribute(self, build):
        """Sleep where images are augmented."""
        build.add("image augmentation", self._sleep)

    def _sleep(self, images, draws):
        time.sleep(self.milliseconds * len(images) / 1000)
        return images


class Sync(Technique):
    """Something after each update that keeps the step waiting: for the GPU, or on the CPU for another process."""

    name = "sync"
    group = "averaging"
    milliseconds: float = parameter(20.0, ge=0, description="on the CPU")

    def contribute(self, build):
        """Wait after each update."""
        on_gpu = build.device.type == "cuda"
        build.add("after step", self._wait_for_gpu if on_gpu else self._wait)

    def _wait(self, moment, skip):
        time.sleep(self.milliseconds / 1000)

    def _wait_for_gpu(self, moment, skip):
        skip.item()


class TwoPasses(Technique):
    """Computes every gradient twice, as techniques that wrap it may."""

    name = "two_passes"
    group = "gradients"

    def contribute(self, build):
        """Wrap forward and backward."""

        def wrap(compute):
            def twice(images, targets):
                compute(images, targets)
                return compute(images, targets)

            return twice

        build.add("gradient", wrap)


PLANTS = (SlowTransform, Sync, TwoPasses)
