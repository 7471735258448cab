"""Does an image go through the network alone, where a batch norm needs company?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result

if TYPE_CHECKING:
    from workbench.engine.build import Build


class SingleImages(Check):
    """Find batches, and parts of batches, of one image: a batch norm normalises by the images beside it.

    Where the network has shrunk an image to a single value a channel, there is nothing to normalise by, and the run
    would break there, in the middle of an epoch. The last batch of an epoch is looked at, and the parts of gradient
    accumulation, in every size that progressive resizing gives the images.
    """

    name = "single_images"
    title = "images on their own"
    when = "before"
    rank = 35
    source = "github.com/pytorch/pytorch, issue 7716; github.com/fastai/fastai, issue 1352"

    def examine(self, build: Build) -> Result | None:
        """Nothing to check in a network that takes each image by itself."""
        from workbench.engine.single_images import normalises_batches, place, refusal, remedy, sizes_at_a_time

        sizes = sizes_at_a_time(build)
        expected, found = "two or more at a time", f"{min(sizes):,} to {max(sizes):,} at a time"
        if min(sizes) == max(sizes):
            found = f"{min(sizes):,} at a time"
        if why := refusal(build):
            return Result("fail", expected, found, f"{place(build)}: {why}", remedy(build))
        if not normalises_batches(build):
            return None
        if max(sizes) == 1:
            reason = f"{place(build)}, normalised by itself in training and by running statistics in the test"
            return Result("warn", expected, found, reason, remedy(build))
        if min(sizes) == 1:
            return Result("pass", expected, found, f"{place(build)}; that much this network can take")
        return Result("pass", expected, found, "every image is normalised together with others")
