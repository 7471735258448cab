"""Residual networks for small images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from workbench.models.base import Model, ModelOptions
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import nn

    from workbench.recipe.schema import Recipe


class ResNet(Model):
    """A 3×3 stem, stages of convolution pairs, global average pooling and one linear layer.

    The first pair of every stage after the first halves the resolution. A stage with 0 blocks is left out. Skip
    connections come from the technique ``residual`` (projections where shapes change), norms from ``batch_norm``:
    without the two it is the plain network that the paper compares with. ``[16, 32, 64]`` × ``[3, 3, 3]`` is
    ResNet-20, with 272,474 parameters.
    """

    name = "resnet"
    source = "He et al. 2016, arXiv:1512.03385"
    capabilities: ClassVar[frozenset[str]] = frozenset({"any_resolution", "batch_norm", "blocks", "residual"})

    channels: tuple[int, ...] = parameter(
        (16, 32, 64), min_length=1, max_length=12, unit="channels", description="channels of the stages"
    )
    blocks: tuple[int, ...] = parameter(
        (3, 3, 3),
        min_length=1,
        max_length=12,
        description="pairs of convolutions in each stage; 0 leaves the stage out",
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """The two lists belong together."""
        if any(width < 1 for width in self.channels):
            yield "channels", f"expected whole numbers ≥ 1, found {list(self.channels)}"
        if any(count < 0 or count > 1000 for count in self.blocks):
            yield "blocks", f"expected whole numbers ≥ 0, ≤ 1000, found {list(self.blocks)}"
        if len(self.channels) != len(self.blocks):
            yield (
                "blocks",
                f"expected as many entries as channels, found {len(self.blocks)} for {len(self.channels)} channels",
            )
        elif not any(self.blocks):
            yield "blocks", "every stage is left out; give at least one stage a block"

    def build(self, image_shape: tuple[int, int, int], classes: int, options: ModelOptions) -> nn.Module:
        """The network for images of this shape."""
        from torch import nn

        from workbench.models.layers import Block, Pair

        norm = options.norm2d
        before = self.channels[0]
        stem: list[nn.Module] = [nn.Conv2d(image_shape[0], before, 3, 1, 1, bias=norm is None)]
        if norm:
            stem.append(norm(before))
        parts: list[tuple[str, nn.Module]] = [("stem", nn.Sequential(*stem, nn.ReLU()))]
        for number, (channels, count) in enumerate(zip(self.channels, self.blocks, strict=True), start=1):
            if count == 0:
                continue
            pairs = []
            for position in range(count):
                stride = 2 if position == 0 and number > 1 else 1
                pairs.append(Pair(before, channels, stride, options))
                before = channels
            parts.append((f"stage{number}", Block(*pairs)))
        parts.append(("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())))
        parts.append(("output", nn.Linear(before, classes)))
        return nn.Sequential(OrderedDict(parts))
