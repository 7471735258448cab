"""A fixed first convolution that decorrelates the pixels."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar

from workbench.recipe.specs import parameter
from workbench.registered import DoesNotFit
from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder, Sample


class Whitening(Technique):
    """Put a small convolution before the first one whose filters decorrelate the pixels of patches; they stay fixed.

    The filters are the eigenvectors of training patches, scaled to outputs of equal variance, and their negatives, so
    that nothing is lost in the activation behind them: 24 for patches of 2×2 pixels in three colours. Only its bias is
    trained, at first; then nothing flows back through it any more. Images get smaller by the size less one.
    """

    name = "whitening"
    group = "architecture"
    source = "Page 2019, How to Train Your ResNet; Jordan 2024, arXiv:2404.00498 (fixed, with negatives)"
    tradeoff = "Half the epochs in very short runs, one cheap layer more; long runs learn such filters by themselves."
    needs: ClassVar[tuple[Need, ...]] = (
        Need(capability="any_resolution", why="its output is smaller than the image by the size of a patch less one"),
    )

    size: int = parameter(2, ge=1, le=8, unit="pixels", description="side of the patches and filters")
    eps: float = parameter(5e-4, gt=0, le=1, description="added to each eigenvalue; keeps faint directions faint")
    images: int = parameter(5000, ge=1, le=1_000_000, unit="images", description="training images to take patches from")
    bias_epochs: float = parameter(
        3.0, ge=0, le=100_000, unit="epochs", description="the bias is trained in epochs that begin before this"
    )

    def register(self, build: Builder) -> None:
        """Insert the layer, take its filters from the images, stop training its bias after some epochs."""
        from workbench.models.layers import Whitening as Layer

        def layers(model: nn.Module) -> list[Layer]:
            return [module for module in model.modules() if isinstance(module, Layer)]

        def fit(model: nn.Module, sample: Sample) -> None:
            images = sample(self.images, on_device=True)
            for layer in layers(model):
                layer.fit(images, self.eps)

        def freeze(epoch: int, model: nn.Module) -> None:
            for layer in layers(model):
                layer.bias.requires_grad_(epoch < self.bias_epochs)

        build.hooks.model_edits.add(self._insert, rank=-10)  # others may replace the activation
        build.hooks.initialisation.add(fit)
        build.hooks.epoch_start.add(freeze, rank=10)

    def _insert(self, model: nn.Module) -> nn.Module:
        from torch import nn

        from workbench.models.layers import Whitening
        from workbench.models.layers.surgery import replace_modules, weighted_layers

        first = weighted_layers(model)[0]
        if not isinstance(first, nn.Conv2d) or first.groups != 1:
            raise DoesNotFit("techniques.whitening: this model does not begin with a convolution; switch it off")
        layer = Whitening(first.in_channels, self.size)
        after = nn.Conv2d(
            layer.filters.shape[0],
            first.out_channels,
            first.kernel_size,  # type: ignore[arg-type]
            first.stride,  # type: ignore[arg-type]
            first.padding,  # type: ignore[arg-type]
            first.dilation,  # type: ignore[arg-type]
            bias=first.bias is not None,
            padding_mode=first.padding_mode,
        )
        parts = OrderedDict([("whitening", layer), ("activation", nn.ReLU()), ("layer", after)])
        replace_modules(model, lambda module: module is first, lambda module: nn.Sequential(parts))
        return model
