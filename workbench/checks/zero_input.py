"""Does the network make use of the images at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class ZeroInput(Check):
    """Train two copies on one batch, one with its images set to zero: the one that sees them must do better."""

    name = "zero_input"
    title = "zero input"
    when = "before"
    rank = 85
    source = "Karpathy 2019, A Recipe for Training Neural Networks"

    enabled: bool = parameter(False, description="true makes it before every run; it takes seconds to minutes")
    images: int = parameter(64, ge=2, le=4096, unit="images", description="size of the batch")
    steps: int = parameter(30, ge=1, le=100_000, unit="steps", description="steps of each copy")
    rate: float = parameter(1e-3, gt=0, le=1, description="Adam's learning rate")
    gain: float = parameter(0.1, ge=0, le=10, unit="nats", description="how much lower the loss on images must end")

    def examine(self, build: Build) -> Result:
        """On copies, in fp32."""
        import torch

        from workbench.checks.training_images import training_images
        from workbench.engine.dry_run import memorise

        images, labels = training_images(build, self.images)
        seeing = memorise(build.model, images, labels, self.steps, self.rate, 0.0)[-1]
        blind = memorise(build.model, torch.zeros_like(images), labels, self.steps, self.rate, 0.0)[-1]
        expected = f"images at least {self.gain:g} below zeros"
        found = f"{seeing:.3f} with images, {blind:.3f} with zeros"
        if blind - seeing >= self.gain:
            return Result("pass", expected, found, "what is learned comes from the images")
        reason = f"after {self.steps} steps the network does no better with images than without"
        advice = "look at how images reach the network: scale, channels, a layer that throws them away"
        return Result("fail", expected, found, reason, advice)
