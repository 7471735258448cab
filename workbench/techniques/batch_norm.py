"""Batch normalisation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from workbench.recipe.specs import parameter
from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder
    from workbench.models.base import ModelOptions


class BatchNorm(Technique):
    """Standardise each channel over the batch after every convolution, then scale and shift it by trained values.

    It keeps activations in range whatever the weights do, so much higher learning rates work; in the technique ladder
    it is the largest single step (78 → 85 %). Evaluation uses running averages of mean and variance.
    """

    name = "batch_norm"
    synonyms = ("bn", "batchnorm")
    group = "architecture"
    starter = True
    source = "Ioffe and Szegedy 2015, arXiv:1502.03167"
    tradeoff = "Small batches make its statistics noisy, and images of one batch influence each other."
    needs: ClassVar[tuple[Need, ...]] = (
        Need(capability="batch_norm", why="norms are put where the model has places for them"),
    )

    momentum: float = parameter(0.1, gt=0, le=1, description="weight of a new batch in the running averages")
    eps: float = parameter(1e-5, gt=0, le=1, description="added to the variance before the root")

    trained_scale: bool = parameter(
        True,
        description="whether the scale of each channel is trained; false keeps it at 1, and trains the shift alone",
    )

    def register(self, build: Builder) -> None:
        """Have the model make batch norms."""
        build.hooks.model_options.add(self._options)

    def _options(self, options: ModelOptions) -> ModelOptions:
        from torch import nn

        return replace(
            options,
            norm2d=lambda width: self._made(nn.BatchNorm2d, width),
            norm1d=lambda width: self._made(nn.BatchNorm1d, width),
        )

    def _made(self, kind: type[nn.BatchNorm1d | nn.BatchNorm2d], width: int) -> nn.Module:
        norm = kind(width, eps=self.eps, momentum=self.momentum)
        norm.weight.requires_grad_(self.trained_scale)
        return norm
