"""Training images as checks look at them: unaugmented, always the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build


def training_images(build: Build, count: int) -> tuple[Tensor, Tensor]:
    """Up to ``count`` training images as evaluation would prepare them, float ``[N, C, H, W]``, and int64 labels."""
    import torch

    order = torch.randperm(len(build.training), generator=torch.Generator().manual_seed(0))
    places = order[:count].sort().values
    images = build.plain(build.training.images(places).to(build.device))
    return images, build.training.labels[places].to(build.device)
