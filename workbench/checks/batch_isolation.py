"""Does each image's result depend on that image alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class BatchIsolation(Check):
    """Follow one image's logits back to the input: their gradient must reach that image, and no other of its batch.

    A reshape or transpose in the wrong place mixes images, and training still seems to work. Norms are in evaluation
    mode, since in training they mix the batch by design.
    """

    name = "batch_isolation"
    title = "batch isolation"
    when = "before"
    rank = 55
    source = "Karpathy 2019, A Recipe for Training Neural Networks"

    images: int = parameter(4, ge=2, le=1024, unit="images", description="size of the batch")

    def examine(self, build: Build) -> Result:
        """On a copy, in fp32."""
        import copy

        import torch

        from workbench.checks.training_images import training_images

        model = copy.deepcopy(build.model).float().eval()
        for weight in model.parameters():
            weight.requires_grad_(False)
        images, _ = training_images(build, self.images)
        if len(images) < 2:
            return not_judged("there is one training image only, and nothing that it could be mixed with")
        images = images.detach().float().requires_grad_()
        chosen = len(images) // 2
        logits = model(images)
        expected = "gradient on its own image alone"
        if logits.requires_grad:
            logits[chosen].square().sum().backward()
        if images.grad is None:
            reach = torch.zeros(len(images))
        else:
            reach = images.grad.abs().amax(dim=(1, 2, 3)).cpu()
        if not reach.isfinite().all():
            return not_judged(
                "the gradient on the images is not finite", "see the initial loss", expected, "not finite"
            )
        own = float(reach[chosen])
        others = int((reach > 0).sum()) - int(own > 0)
        if others:
            reason = f"the result of one image depends on {others} others of its batch"
            advice = "look for a reshape, transpose or mean over the first dimension in the model"
            return Result("fail", expected, f"{others} other images reached", reason, advice)
        if own == 0:
            reason = "no gradient reaches the image: the result does not depend on it"
            advice = "look for a detach, a constant or dead units between input and output"
            return Result("fail", expected, "no gradient", reason, advice)
        return Result("pass", expected, "its own image alone", "images of a batch do not influence each other")
