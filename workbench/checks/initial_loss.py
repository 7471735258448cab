"""Is the first loss that of a network that knows nothing?"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.events import Verdict
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build

IMAGES = 256
"""How many training images are looked at unless a recipe says otherwise."""


class InitialLossCheck(Check):
    """The loss of the untrained network, held against ln(classes), the loss of a network that knows nothing.

    What is expected is measured too: the same network and labels on standardised images. So the spread of the first
    logits is explained, and what remains is due to the input.
    """

    name = "initial_loss"
    title = "initial loss"
    when = "before"
    rank = 20
    source = "Karpathy 2019, A Recipe for Training Neural Networks; CS231n"

    images: int = parameter(IMAGES, ge=2, le=1_000_000, unit="images", description="training images looked at")
    spread: float = parameter(
        10.0,
        gt=0,
        le=1e6,
        unit="nats",
        description="largest part of the loss that the logits' spread may add; "
        "He initialisation of the output layer gives the ladder's network 1 to 5 (forty seeds)",
    )

    def examine(self, build: Build) -> Result:
        """In training mode, before the first update."""
        loss = measure_initial_loss(build, self.images)
        return self.judge(loss)

    def judge(self, loss: InitialLoss) -> Result:
        """Close to the expectation passes; far above it the input is most likely not normalised."""
        base = f"ln {loss.classes} = {math.log(loss.classes):.3f} is the loss of a network that knows nothing"
        here = f"on standardised images this network has {loss.expected:.3f}"
        advice = ""
        verdict: Verdict = "pass"
        reason = base
        if not math.isfinite(loss.found):
            verdict, reason = "fail", f"{base}; this one is not finite before the first update"
            advice = "check the input and the initialisation"
        elif loss.found > loss.expected + max(1.0, 0.5 * loss.expected):
            verdict = "fail"
            reason = f"{base}, and {here}; so much more on the recipe's own images means that they are not normalised"
            advice = "see data.normalise"
        elif abs(loss.found - loss.expected) > 0.1 + 0.1 * loss.expected:
            verdict = "warn"
            reason = f"{base}, and {here}; the recipe's own images are off mean 0 and deviation 1"
            advice = "see data.mean and data.std"
        elif loss.spread > self.spread:
            verdict = "warn"
            reason = (
                f"{base}; the first logits spread so far (standard deviation {loss.deviation:.2f}) that it starts "
                "out sure of itself"
            )
            advice = "initialise the output layer smaller (he_init.output_layer = false)"
        elif loss.spread > 0.15:
            reason = (
                f"{base}; the spread of the first logits (standard deviation {loss.deviation:.2f}, from the output "
                f"layer's initialisation) adds {loss.spread:.2f}"
            )
        return Result(verdict, f"{loss.expected:.3f}", f"{loss.found:.3f}", reason, advice, asdict(loss))


@dataclass(frozen=True)
class InitialLoss:
    """Losses in nats before the first update.

    found: on the images as the recipe feeds them. expected: the same network and labels, the images restandardised to
    mean 0 and deviation 1 per channel. spread: the part of ``expected`` above ln(classes) that the first logits'
    spread explains, whatever the labels are; deviation: the standard deviation of those logits.
    """

    found: float
    expected: float
    spread: float
    deviation: float
    classes: int


def measure_initial_loss(build: Build, count: int = IMAGES) -> InitialLoss:
    """Run a copy of the untrained network in training mode; the build and torch's generators stay as they are.

    In fp32 whatever the recipe's precision: the loss differs little, and on a CPU without fp16 arithmetic a ResNet-20
    takes 12.8 s in fp16 and 0.9 s in fp32 (two cores of an AMD EPYC, 2 × 256 images).
    """
    import torch
    from torch.nn.functional import cross_entropy

    from workbench.checks.training_images import training_images

    images, labels = training_images(build, count)
    standard = build.hooks.memory_format(_restandardise(images))
    devices = [build.device] if build.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        found = cross_entropy(_logits(build, images), labels)
        logits = _logits(build, standard)
        expected = cross_entropy(logits, labels)
        classes = logits.shape[1]
        ignorant = (logits.logsumexp(dim=1) - logits.mean(dim=1)).mean()
    return InitialLoss(
        found=float(found),
        expected=float(expected),
        spread=float(ignorant) - math.log(classes),
        deviation=float(logits.std()),
        classes=classes,
    )


def _restandardise(images: Tensor) -> Tensor:
    """The batch with mean 0 and standard deviation 1 in every channel."""
    mean = images.mean(dim=(0, 2, 3), keepdim=True)
    return (images - mean) / images.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-8)


def _logits(build: Build, images: Tensor) -> Tensor:
    model = copy.deepcopy(build.model).float().train()
    logits: Tensor = model(images).float()
    return logits
