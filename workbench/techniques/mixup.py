"""Mixup: blends of two images and their labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.image_operations.mixing import SymmetricBeta
    from workbench.randomness import SampleRng


class Mixup(Technique):
    """Blend each image with another one of its batch, and their labels in the same proportion.

    The network learns to change its mind linearly between two images; it is less sure of itself and memorises less.
    The proportion is drawn for each image by itself. Train accuracy has no meaning while labels are blended. With
    CutMix on as well, an image can go through both.
    """

    name = "mixup"
    group = "augmentation"
    source = "Zhang et al. 2018, arXiv:1710.09412"
    tradeoff = "Better accuracy and calibration in long runs; underfits in short ones and in small networks."

    alpha: float = parameter(
        1.0,
        ge=0.001,
        le=100,
        description="of Beta(α, α), where proportions are drawn: 1 any alike, less mostly one image, more a half",
    )
    probability: float = parameter(1.0, ge=0, le=1, description="share of the images that are mixed")

    def register(self, build: Builder) -> None:
        """Blend the batches that the network sees."""
        from workbench.image_operations.mixing import SymmetricBeta

        beta = SymmetricBeta(self.alpha, build.device)
        mix = partial(mixup, classes=build.classes, beta=beta, probability=self.probability)
        build.hooks.target_mixing.add(mix, rank=20)


def mixup(
    images: Tensor, targets: Tensor, rng: SampleRng, *, classes: int, beta: SymmetricBeta, probability: float = 1.0
) -> tuple[Tensor, Tensor]:
    """``λ · image + (1 − λ) · partner`` for floating-point images ``[N, C, H, W]`` and the same for their targets.

    Each image has its own λ, from ``beta`` with the given probability, 0–1, else 1. Partners are a permutation of the
    batch. The images keep their type and memory format.

    targets: int64 ``[N]`` or, mixed before, floating point ``[N, classes]``; they come back as float32
    ``[N, classes]``.
    """
    import torch

    from workbench.image_operations.mixing import mixed_targets, shares_and_partners

    shares, partners = shares_and_partners(rng, beta, probability)
    others = 1 - shares
    amounts = others.to(images.dtype).view(-1, 1, 1, 1)
    mixed = torch.lerp(images, images.index_select(0, partners), amounts)
    return mixed, mixed_targets(targets, partners, shares, others, classes)
