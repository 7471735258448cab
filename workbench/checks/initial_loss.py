"""Is the first loss that of a network that knows nothing?"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workbench.engine.build import Build
from workbench.events import CheckFinished, Verdict

IMAGES = 256
"""How many training images the check looks at."""

WIDE_SPREAD = 10.0
"""Nats. He initialisation of the output layer gives the ladder's network 1 to 5 (forty seeds)."""


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


@torch.no_grad()
def measure_initial_loss(build: Build) -> InitialLoss:
    """Run a copy of the untrained network in training mode; the build and torch's generators stay as they are.

    In fp32 whatever the recipe's precision: the loss differs little, and on a CPU without fp16 arithmetic a ResNet-20
    takes 12.8 s in fp16 and 0.9 s in fp32 (two cores of an AMD EPYC, 2 × 256 images).
    """
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(build.training), generator=generator)[:IMAGES].sort().values
    images = build.plain(build.training.images(chosen).to(build.device))
    labels = build.training.labels[chosen].to(build.device)
    standard = build.slots.only("memory format", lambda thing: thing)(_restandardise(images))
    with torch.random.fork_rng(devices=[build.device] if build.device.type == "cuda" else []):
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


def judge_initial_loss(loss: InitialLoss) -> CheckFinished:
    """The verdict: close to the expectation passes; far above it the input is most likely not normalised."""
    verdict, reason = _judge(loss)
    return CheckFinished(
        name="initial loss",
        verdict=verdict,
        expected=f"{loss.expected:.3f}",
        found=f"{loss.found:.3f}",
        reason=reason,
    )


def _judge(loss: InitialLoss) -> tuple[Verdict, str]:
    base = f"ln {loss.classes} = {math.log(loss.classes):.3f} is the loss of a network that knows nothing"
    if not math.isfinite(loss.found):
        return "fail", f"{base}; this one is not finite before the first update: check the input and the initialisation"
    if loss.found > loss.expected + max(1.0, 0.5 * loss.expected):
        return "fail", (
            f"{base}, and on standardised images this network has {loss.expected:.3f}; "
            "so much more on the recipe's own images means that they are not normalised: see data.normalise"
        )
    if abs(loss.found - loss.expected) > 0.1 + 0.1 * loss.expected:
        return "warn", (
            f"{base}, and on standardised images this network has {loss.expected:.3f}; "
            "the recipe's own images are off mean 0 and deviation 1: see data.mean and data.std"
        )
    if loss.spread > WIDE_SPREAD:
        return "warn", (
            f"{base}; the first logits spread so far (standard deviation {loss.deviation:.2f}) that it starts "
            "out sure of itself: initialise the output layer smaller (he_init.output_layer = false)"
        )
    if loss.spread > 0.15:
        return "pass", (
            f"{base}; the spread of the first logits (standard deviation {loss.deviation:.2f}, from the output layer's "
            f"initialisation) adds {loss.spread:.2f}"
        )
    return "pass", base


def _restandardise(images: Tensor) -> Tensor:
    """The batch with mean 0 and standard deviation 1 in every channel."""
    mean = images.mean(dim=(0, 2, 3), keepdim=True)
    return (images - mean) / images.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-8)


def _logits(build: Build, images: Tensor) -> Tensor:
    model = copy.deepcopy(build.model).float().train()
    logits: Tensor = model(images).float()
    return logits
