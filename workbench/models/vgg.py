"""A straight stack of 3×3 convolutions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from workbench.models.base import Model, ModelOptions
from workbench.recipe.cards import parameter

if TYPE_CHECKING:
    from torch import nn

    from workbench.recipe.schema import Recipe


class VGG(Model):
    """3×3 convolutions one after another, max-pooling where the width doubles, global max-pooling, one linear layer.

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
    output_bias: bool = parameter(False, description="whether the output layer has a bias")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Widths must be positive."""
        if any(width < 1 for width in self.widths):
            yield "widths", f"expected whole numbers ≥ 1, found {list(self.widths)}"

    def build(self, image_shape: tuple[int, int, int], classes: int, options: ModelOptions) -> nn.Module:
        """The network for images of this shape."""
        from torch import nn

        from workbench.models.layers import Block, GlobalMaxPool

        before, height, width = image_shape
        halvings = sum(
            after == 2 * earlier for earlier, after in zip((before, *self.widths), self.widths, strict=False)
        )
        if min(height >> halvings, width >> halvings) < 1:
            raise ValueError(
                f"model 'vgg' halves the image {halvings} times, too often for {height}×{width} pixels; "
                "double the widths less often or use larger images"
            )
        blocks: list[list[nn.Module]] = [[]]
        for channels in self.widths:
            layers: list[nn.Module] = [nn.Conv2d(before, channels, 3, padding=1, bias=options.norm2d is None)]
            if channels == 2 * before:
                layers.append(nn.MaxPool2d(2))
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
