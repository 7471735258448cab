"""Do the images reach the network with mean 0 and standard deviation 1?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.events import Verdict
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build

FAR_MEAN, FAR_DEVIATION = 2.0, 4.0
"""Beyond these the images are not normalised at all, rather than with figures that fit badly."""


class InputStatistics(Check):
    """Mean and standard deviation of each channel of the training images as the network meets them.

    Normalised input lets one learning rate suit every channel and layer.
    """

    name = "input_statistics"
    title = "input statistics"
    when = "before"
    rank = 10

    images: int = parameter(2048, ge=1, le=1_000_000, unit="images", description="training images looked at")
    mean: float = parameter(0.25, gt=0, le=100, description="largest distance of a channel's mean from 0")
    low: float = parameter(0.7, gt=0, le=1, description="smallest standard deviation of a channel")
    high: float = parameter(1.4, ge=1, le=100, description="largest standard deviation of a channel")

    def examine(self, build: Build) -> Result:
        """Without augmentation."""
        from workbench.checks.training_images import training_images

        images, _ = training_images(build, self.images)
        means = images.mean(dim=(0, 2, 3)).tolist()
        deviations = images.std(dim=(0, 2, 3)).tolist()
        verdict: Verdict = "pass"
        reason, advice = "normalised input lets one learning rate suit every channel and layer", ""
        furthest = max(map(abs, means))
        if furthest > self.mean or min(deviations) < self.low or max(deviations) > self.high:
            verdict = "fail" if furthest > FAR_MEAN or max(deviations) > FAR_DEVIATION else "warn"
            if build.recipe.data.normalise == "none":
                reason, advice = "the images are not normalised", 'set data.normalise = "dataset"'
            elif build.recipe.data.mean is None or build.recipe.data.std is None:
                reason = "the images looked at are unlike the whole training set, whose mean and std were measured"
                if min(deviations) < 1e-3:
                    reason = "a channel has the same value in every pixel: there is nothing in it to learn from"
                advice = "look at them: are they dark, empty, or sorted by what they show?"
            else:
                reason = "data.mean and data.std do not fit these images"
                advice = "leave both out to have them measured"
        found = f"mean {_shown(means)}, std {_shown(deviations)}"
        return Result(verdict, "mean 0, std 1 per channel", found, reason, advice)


def _shown(values: list[float]) -> str:
    texts = [f"{value + 0.0:.2f}".replace("-0.00", "0.00") for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)
