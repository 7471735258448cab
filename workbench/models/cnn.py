"""The three-block network of the technique ladder, from the plain baseline to residual pairs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from workbench.models.base import Model, ModelOptions
from workbench.recipe.cards import parameter

if TYPE_CHECKING:
    from torch import nn

    from workbench.recipe.schema import Recipe


class CNN(Model):
    """Blocks of convolution, ReLU and max-pooling, then two fully connected layers.

    Each block halves the resolution. With the defaults, 32×32 images and ten classes it has 620,362 parameters.
    ``depth`` puts that many pairs of convolutions behind each block; the technique ``residual`` gives them skip
    connections.
    """

    name = "cnn"
    source = "the baseline of a CIFAR-10 technique ladder (75 %)"
    capabilities: ClassVar[frozenset[str]] = frozenset({"batch_norm", "residual"})

    widths: tuple[int, ...] = parameter(
        (32, 64, 128), min_length=1, max_length=12, unit="channels", description="channels of the blocks"
    )
    depth: int = parameter(0, ge=0, le=100, description="pairs of 3×3 convolutions behind each block")
    hidden: int = parameter(256, ge=1, le=65536, unit="units", description="width of the hidden fully connected layer")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Widths must be positive, and a residual network needs pairs to skip."""
        if any(width < 1 for width in self.widths):
            yield "widths", f"expected whole numbers ≥ 1, found {list(self.widths)}"
        if recipe.on("residual") and self.depth == 0:
            yield "depth", "the technique 'residual' has nothing to skip at depth 0; set model.depth to 1 or more"

    def build(self, image_shape: tuple[int, int, int], classes: int, options: ModelOptions) -> nn.Module:
        """The network for images of this shape."""
        from torch import nn

        from workbench.models.layers import Pair

        before, height, width = image_shape
        shrunk = (height >> len(self.widths), width >> len(self.widths))
        if min(shrunk) < 1:
            raise ValueError(
                f"model 'cnn' halves the image {len(self.widths)} times, too often for {height}×{width} pixels; "
                "give it fewer widths or larger images"
            )
        parts: list[tuple[str, nn.Module]] = []
        for number, channels in enumerate(self.widths, start=1):
            layers: list[nn.Module] = [nn.Conv2d(before, channels, 3, padding=1)]
            if options.norm2d:
                layers.append(options.norm2d(channels))
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
            layers += [Pair(channels, channels, 1, options) for _ in range(self.depth)]
            parts.append((f"block{number}", nn.Sequential(*layers)))
            before = channels
        head: list[nn.Module] = [nn.Flatten(), nn.Linear(before * shrunk[0] * shrunk[1], self.hidden)]
        if options.norm1d:
            head.append(options.norm1d(self.hidden))
        parts.append(("hidden", nn.Sequential(*head, nn.ReLU())))
        parts.append(("output", nn.Linear(self.hidden, classes)))
        return nn.Sequential(OrderedDict(parts))
