"""Random brightness and contrast of normalised images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng
    from workbench.recipe.schema import Recipe


class BrightnessContrast(Technique):
    """Multiply each normalised image by a random factor and add a random amount, the same for all its pixels.

    Both take place around the data set's mean colour, 0 after normalisation, and nothing is cut off or rounded: a few
    operations for a whole batch, where color_jitter does what torchvision does on pixels of 0–255.
    """

    name = "brightness_contrast"
    group = "augmentation"
    source = "Krizhevsky et al. 2012; on normalised batches: Hiverge and Fulcrum, CIFAR-10 speed runs, 2025–2026"
    tradeoff = "Next to free, a little accuracy; larger amounts hide colours that tell classes apart."

    brightness: float = parameter(
        0.14, ge=0, le=4, unit="standard deviations", description="what is added is drawn from −x … x"
    )
    contrast: float = parameter(0.13, ge=0, le=1, description="factor drawn from 1 − x … 1 + x")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Amounts are in units of normalised images."""
        if recipe.data.normalise == "none":
            yield "brightness", 'is added to normalised images; set data.normalise = "dataset", or switch it off'

    def register(self, build: Builder) -> None:
        """Change the normalised images."""
        build.hooks.tensor_augmentation.add(self._change, rank=20)

    def _change(self, images: Tensor, rng: SampleRng) -> Tensor:
        return brightness_contrast(images, rng, self.brightness, self.contrast)


def brightness_contrast(images: Tensor, rng: SampleRng, brightness: float, contrast: float) -> Tensor:
    """Floating-point images ``[N, C, H, W]``, each times its factor of 1 − contrast … 1 + contrast, plus its own amount
    of −brightness … brightness; both uniform.
    """
    import torch

    amounts = rng.uniform(2) * 2 - 1
    shift, factor = amounts[:, :1] * brightness, amounts[:, 1:] * contrast + 1
    shape = (-1, 1, 1, 1)
    return torch.addcmul(shift.view(shape).to(images.dtype), images, factor.view(shape).to(images.dtype))
