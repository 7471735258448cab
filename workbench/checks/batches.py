"""Does the run have the batches and the steps that its recipe speaks of?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result

if TYPE_CHECKING:
    from workbench.engine.build import Build


class Batches(Check):
    """Tell where the data set or the run is smaller than the recipe's numbers.

    A batch larger than the training set is all of it: one step an epoch, with a learning rate that was chosen for more.
    A run of less than half a step is rounded up to one.
    """

    name = "batches"
    title = "batches"
    when = "before"
    rank = 35
    needs_data = False

    def examine(self, build: Build) -> Result | None:
        """None where both are as the recipe says."""
        size, epochs = build.recipe.data.batch_size, build.recipe.train.epochs
        if epochs * build.steps_per_epoch < 0.5:
            wanted = epochs * build.steps_per_epoch
            reason = f"train.epochs = {epochs:g} is {wanted:.2g} of a step where an epoch has {build.steps_per_epoch:,}"
            advice = f"set train.epochs to {1 / build.steps_per_epoch:.2g} for one step, or more"
            return Result("warn", "at least one step", "less, so the run does one", reason, advice)
        images = build.training_images
        if size > images:
            reason = "every epoch is a single step over the whole training set"
            advice = f"set data.batch_size to {images:,} or less; small sets learn faster from several batches an epoch"
            return Result("warn", f"≤ {images:,} training images", f"data.batch_size {size:,}", reason, advice)
        return None
