"""A straight stack of 3×3 convolutions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from workbench.models.base import Model, ModelOptions
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import nn

    from workbench.recipe.schema import Recipe


class VGG(Model):
    """3×3 convolutions one after another, max-pooling after some of them, global max-pooling, one linear layer.

    The norm stands behind the pooling, where it has a quarter of the work. Without skip connections it is still one of
    the fastest networks for small images; the defaults are those that reach 94 % in 24 epochs, 6,573,120 parameters.
    """

    name = "vgg"
    source = "Simonyan and Zisserman 2015, arXiv:1409.1556; widths and order: a 94-line script for 94 % on CIFAR-10"
    capabilities: ClassVar[frozenset[str]] = frozenset({"any_resolution", "batch_norm", "blocks"})

    widths: tuple[int, ...] = parameter(
        (64, 128, 128, 128, 256, 512, 512, 512),
        min_length=1,
        max_length=64,
        unit="channels",
        description="channels of the convolutions; where one has twice those before it, it is followed by a pooling",
    )
    pool_after: tuple[int, ...] | None = parameter(
        None,
        max_length=64,
        description="which convolutions a pooling follows, counted from 1; left out: those that double the width",
    )
    output_bias: bool = parameter(False, description="whether the output layer has a bias")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Widths must be positive."""
        if any(width < 1 for width in self.widths):
            yield "widths", f"expected whole numbers ≥ 1, found {list(self.widths)}"
        pools = self.pool_after or ()
        if list(pools) != sorted(set(pools)) or not all(1 <= place <= len(self.widths) for place in pools):
            yield "pool_after", f"expected ascending places of the {len(self.widths)} widths, found {list(pools)}"

    def build(self, image_shape: tuple[int, int, int], classes: int, options: ModelOptions) -> nn.Module:
        """The network for images of this shape."""
        from torch import nn

        from workbench.models.layers import Block, GlobalMaxPool, MaxPool

        before, height, width = image_shape
        pools = self._pools(before)
        if min(height >> len(pools), width >> len(pools)) < 1:
            raise ValueError(
                f"model 'vgg' halves the image {len(pools)} times, too often for {height}×{width} pixels; "
                "double the widths less often or use larger images"
            )
        blocks: list[list[nn.Module]] = [[]]
        for place, channels in enumerate(self.widths, start=1):
            layers: list[nn.Module] = [nn.Conv2d(before, channels, 3, padding=1, bias=options.norm2d is None)]
            if place in pools:
                layers.append(MaxPool())
                blocks.append([])
            if options.norm2d:
                layers.append(options.norm2d(channels))
            blocks[-1] += [*layers, nn.ReLU()]
            before = channels
        parts: list[tuple[str, nn.Module]] = [
            (f"block{number}", Block(*layers)) for number, layers in enumerate(filter(None, blocks), start=1)
        ]
        parts.append(("pool", GlobalMaxPool()))
        parts.append(("output", nn.Linear(before, classes, bias=self.output_bias)))
        return nn.Sequential(OrderedDict(parts))

    def _pools(self, image_channels: int) -> tuple[int, ...]:
        """The places, from 1, of the convolutions that a pooling follows."""
        if self.pool_after is not None:
            return self.pool_after
        pairs = zip((image_channels, *self.widths), self.widths, strict=False)
        return tuple(place for place, (before, after) in enumerate(pairs, start=1) if after == 2 * before)
