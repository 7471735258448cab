"""Anti-aliased downsampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.registered import DoesNotFit
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class BlurPool(Technique):
    """Blur feature maps before their resolution is halved, so that a shift by one pixel does not change the answer.

    A max-pooling of stride 2 becomes one of stride 1, a blur, and every second pixel; a convolution of stride 2 gets
    the blur in front.
    """

    name = "blurpool"
    group = "architecture"
    source = "Zhang 2019, arXiv:1904.11486"
    tradeoff = (
        "Steadier under shifts, sometimes more accurate; the pooling works at twice the resolution, which costs time."
    )

    def register(self, build: Builder) -> None:
        """Replace the layers that lower the resolution."""
        build.hooks.model_edits.add(blurpool, rank=10)


def blurpool(model: nn.Module) -> nn.Module:
    """Put blurs into a model, in place, before everything that halves the resolution; shapes stay the same.

    Raises ValueError if nothing does.
    """
    from torch import nn

    from workbench.models.layers import Blur
    from workbench.models.layers.surgery import replace_modules

    def halves(module: nn.Module) -> bool:
        pools = isinstance(module, nn.MaxPool2d) and module.stride in (2, (2, 2)) and module.padding in (0, (0, 0))
        return pools or (isinstance(module, nn.Conv2d) and module.stride == (2, 2))

    def blurred(module: nn.Module) -> nn.Module:
        if isinstance(module, nn.MaxPool2d):
            return nn.Sequential(nn.MaxPool2d(module.kernel_size, stride=1), Blur(stride=2))
        return nn.Sequential(Blur(), module)

    if not replace_modules(model, halves, blurred):
        raise DoesNotFit("techniques.blurpool: nothing in this model halves the resolution; switch it off")
    return model
