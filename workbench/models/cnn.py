"""The three-block network of the technique ladder, from the plain baseline to residual pairs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from workbench.models.base import Model, ModelOptions
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from torch import nn

    from workbench.recipe.schema import Recipe


class CNN(Model):
    """Blocks of convolutions, ReLU and max-pooling, then fully connected layers.

    Each block halves the resolution. With the defaults, 32×32 images and ten classes it has 620,362 parameters.
    ``depth`` puts that many pairs of convolutions behind each block; the technique ``residual`` gives them skip
    connections.
    """

    name = "cnn"
    source = "the baseline of a CIFAR-10 technique ladder (75 %)"
    capabilities: ClassVar[frozenset[str]] = frozenset({"batch_norm", "blocks", "residual"})

    widths: tuple[int, ...] = parameter(
        (32, 64, 128), min_length=1, max_length=12, unit="channels", description="channels of the blocks"
    )
    convolutions: int = parameter(1, ge=1, le=100, description="3×3 convolutions in each block before its pooling")
    depth: int = parameter(0, ge=0, le=100, description="pairs of 3×3 convolutions behind each block's pooling")
    hidden: tuple[int, ...] = parameter(
        (256,), max_length=12, unit="units", description="widths of the hidden fully connected layers; [] for none"
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Widths must be positive, and a residual network needs pairs to skip."""
        if any(width < 1 for width in self.widths):
            yield "widths", f"expected whole numbers ≥ 1, found {list(self.widths)}"
        if any(width < 1 for width in self.hidden):
            yield "hidden", f"expected whole numbers ≥ 1, found {list(self.hidden)}"
        if recipe.on("residual") and self.depth == 0:
            yield "depth", "the technique 'residual' has nothing to skip at depth 0; set model.depth to 1 or more"

    def build(self, image_shape: tuple[int, int, int], classes: int, options: ModelOptions) -> nn.Module:
        """The network for images of this shape."""
        from torch import nn

        from workbench.models.layers import Block, MaxPool, Pair

        before, height, width = image_shape
        shrunk = (height >> len(self.widths), width >> len(self.widths))
        if min(shrunk) < 1:
            raise ValueError(
                f"model 'cnn' halves the image {len(self.widths)} times, too often for {height}×{width} pixels; "
                "give it fewer widths or larger images"
            )
        parts: list[tuple[str, nn.Module]] = []
        for number, channels in enumerate(self.widths, start=1):
            layers: list[nn.Module] = []
            for _ in range(self.convolutions):
                layers.append(nn.Conv2d(before, channels, 3, padding=1))
                if options.norm2d:
                    layers.append(options.norm2d(channels))
                layers.append(nn.ReLU())
                before = channels
            layers.append(MaxPool())
            layers += [Pair(channels, channels, 1, options) for _ in range(self.depth)]
            parts.append((f"block{number}", Block(*layers)))
        head: list[nn.Module] = [nn.Flatten()]
        before *= shrunk[0] * shrunk[1]
        for units in self.hidden:
            head.append(nn.Linear(before, units))
            if options.norm1d:
                head.append(options.norm1d(units))
            head.append(nn.ReLU())
            before = units
        parts.append(("hidden", nn.Sequential(*head)))
        parts.append(("output", nn.Linear(before, classes)))
        return nn.Sequential(OrderedDict(parts))
