"""Can the network learn a single batch by heart?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class OverfitBatch(Check):
    """Train a copy on one small batch, with no augmentation, shuffling or regularisation, until its loss is nearly 0.

    A network that cannot learn 32 images by heart will not learn 50,000: labels, loss, gradients or capacity are wrong.
    By Adam, so that the recipe's own learning rate plays no part.
    """

    name = "overfit_batch"
    title = "one batch by heart"
    when = "before"
    rank = 80
    source = "Karpathy 2019, A Recipe for Training Neural Networks; CS231n"

    enabled: bool = parameter(False, description="true makes it before every run; it takes seconds to minutes")
    images: int = parameter(32, ge=2, le=4096, unit="images", description="size of the batch")
    steps: int = parameter(200, ge=1, le=100_000, unit="steps", description="steps at most")
    rate: float = parameter(3e-3, gt=0, le=1, description="Adam's learning rate")
    goal: float = parameter(0.05, gt=0, le=10, unit="nats", description="loss at which the batch counts as learned")

    def examine(self, build: Build) -> Result:
        """On a copy, in fp32. Figures: losses (nats, before each step), goal."""
        from workbench.checks.training_images import training_images
        from workbench.engine.dry_run import memorise

        images, labels = training_images(build, self.images)
        losses = memorise(build.model, images, labels, self.steps, self.rate, self.goal)
        best, figures = min(losses), {"losses": losses, "goal": self.goal}
        expected = f"loss below {self.goal:g} within {self.steps} steps"
        found = f"{losses[-1]:.3f} after {len(losses) - 1} steps, from {losses[0]:.3f}"
        if len(losses) < 2 and losses[0] < self.goal:
            reason = "the loss is below the goal before the first step"
            return not_judged(reason, "", expected, f"{losses[0]:.3f}", **figures)
        if losses[-1] < self.goal:
            reason = f"the network can learn {len(images)} images by heart"
            return Result("pass", expected, found, reason, "", figures)
        reason = f"the loss on {len(images)} images comes down to {best:.3f} only: something keeps it from learning"
        advice = "look at the labels, at what detaches gradients in the model, and at its capacity"
        return Result("fail", expected, found, reason, advice, figures)
