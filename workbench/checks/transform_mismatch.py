"""Do training and evaluation see images of the same kind?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build

FEWEST = 64
"""Images of which means and deviations are taken, if there are as many."""


class TransformMismatch(Check):
    """Compare a batch as training prepares it, augmented, with test images as evaluation prepares them.

    Channel means and deviations must be near each other: where one side is scaled and the other not, the network is
    tested on what it was never trained for. And evaluation must give the same image twice: nothing random in it.
    """

    name = "transform_mismatch"
    title = "train and test transforms"
    when = "before"
    rank = 50
    source = "a random transform in validation: github.com/automl/trivialaugment, issue 4"

    mean: float = parameter(
        0.75, gt=0, le=100, unit="standard deviations", description="largest distance between the means of a channel"
    )
    deviation: float = parameter(2.0, ge=1, le=100, description="largest ratio between the deviations of a channel")

    def examine(self, build: Build) -> Result:
        """A training batch, or several of a few images, and as many test images."""
        import torch

        with torch.no_grad():
            trained = _trained(build)
            count = min(len(build.dataset.test), max(FEWEST, min(len(trained), 512)))
            places = torch.linspace(0, len(build.dataset.test) - 1, count).long()
            raw = build.dataset.test.images(places).to(build.device)
            tested, again = build.plain(raw).float(), build.plain(raw).float()
        expected = "the same scale in training and test"
        if trained.shape[1] != tested.shape[1] or not torch.equal(tested, again):
            reason = "evaluation prepares the same image differently each time: its result is partly chance"
            return Result("fail", expected, "random evaluation", reason, "take what is random out of 'normalise'")
        (mean, spread), (test_mean, test_spread) = _statistics(trained), _statistics(tested)
        apart = float(((mean - test_mean).abs() / test_spread).max())
        ratio = float(torch.maximum(spread / test_spread, test_spread / spread).max())
        found = f"means {apart:.2f} deviations apart, deviations {ratio:.2f} times apart"
        if apart <= self.mean and ratio <= self.deviation:
            return Result("pass", expected, found, "the test is of what the network is trained for")
        reason = "training images and test images reach the network on different scales"
        advice = "see which augmentation changes the scale: put it before the normalisation, or weaken it"
        return Result("fail", expected, found, reason, advice)


def _trained(build: Build) -> Tensor:
    """The first training images, augmented: a few alone may all be of one class, and say little about the others."""
    import torch

    batches: list[Tensor] = []
    for step in range(min(len(build.pipeline), FEWEST)):
        batch = build.training_inputs(build.pipeline.batch(0, step), build.context(step))[0].float()
        if batches and batch.shape[1:] != batches[0].shape[1:]:
            break
        batches.append(batch)
        if sum(map(len, batches)) >= FEWEST:
            break
    return torch.cat(batches)


def _statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.mean(dim=(0, 2, 3)), images.std(dim=(0, 2, 3)).clamp(min=1e-8)
