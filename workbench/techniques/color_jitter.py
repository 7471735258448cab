"""Random changes of brightness, contrast, saturation and hue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng

_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = range(4)


class ColorJitter(Technique):
    """Change each image's brightness, contrast, saturation and hue by random amounts, in a random order."""

    name = "color_jitter"
    synonyms = ("jitter",)
    group = "augmentation"
    source = "Krizhevsky et al. 2012; torchvision ColorJitter"
    tradeoff = "Robust to lighting; strong jitter hides colours that tell classes apart."

    brightness: float = parameter(0.2, ge=0, le=1, description="factor drawn from 1 − x … 1 + x")
    contrast: float = parameter(0.2, ge=0, le=1, description="factor drawn from 1 − x … 1 + x")
    saturation: float = parameter(0.2, ge=0, le=1, description="factor drawn from 1 − x … 1 + x")
    hue: float = parameter(0.0, ge=0, le=0.5, unit="turns", description="shift around the colour circle, −x … x")

    def register(self, build: Builder) -> None:
        """Jitter the raw images."""
        self.require_channels(build, 3)
        build.hooks.image_augmentation.add(self._jitter, rank=30)

    def _jitter(self, images: Tensor, rng: SampleRng) -> Tensor:
        return color_jitter(images, rng, self.brightness, self.contrast, self.saturation, self.hue)


def color_jitter(
    images: Tensor, rng: SampleRng, brightness: float, contrast: float, saturation: float, hue: float
) -> Tensor:
    """Jitter uint8 RGB images ``[N, 3, H, W]``, every image with its own factors and its own order of operations.

    Each operation blends with something and cuts to 0–255: brightness with black, contrast with the image's mean grey,
    saturation with the pixel's grey; the factor is uniform over 1 − x … 1 + x. Hue turns by a uniform −hue … hue.
    An operation with 0 is left out. Intermediate values stay floating point; the result is rounded.
    """
    import torch

    operations = [(number, size) for number, size in enumerate((brightness, contrast, saturation, hue)) if size > 0]
    if not operations:
        return images
    order = torch.argsort(rng.uniform(len(operations)), dim=1)
    # filled on the device: a copy from the host would wait for it
    sizes = torch.stack([torch.full((), size, device=images.device) for _, size in operations])
    amounts = ((rng.uniform(len(operations)) * 2 - 1) * sizes).gather(1, order)
    places = {number: place for place, (number, _) in enumerate(operations)}
    x = images.float()
    # One pass for each place in the order; which operation it is differs from image to image, so all are one blend.
    for place in range(len(operations)):
        kind = order[:, place].view(-1, 1, 1, 1)
        amount = amounts[:, place].view(-1, 1, 1, 1)
        grey = _grey(x)
        other = torch.where(kind == places.get(_SATURATION, -1), grey, grey.mean(dim=(2, 3), keepdim=True))
        other = torch.where(kind == places.get(_BRIGHTNESS, -1), 0.0, other)
        blended = torch.lerp(other.expand_as(x), x, 1 + amount).clamp_(0, 255)
        x = torch.where(kind == places[_HUE], _turn_hue(x, amount), blended) if hue > 0 else blended
    return x.round_().to(torch.uint8)


def _grey(x: Tensor) -> Tensor:
    """Luma of RGB images (ITU-R 601), ``[N, 1, H, W]``."""
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


def _turn_hue(x: Tensor, turns: Tensor) -> Tensor:
    """RGB images 0–255 with their HSV hue shifted by a number of turns, ``[N, 1, 1, 1]``."""
    import torch

    red, green, blue = x.unbind(1)
    value, _ = x.max(dim=1)
    chroma = value - x.min(dim=1).values
    safe = chroma.clamp(min=1e-6)
    sector = torch.where(
        value == red,
        ((green - blue) / safe) % 6,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    sector = (sector + 6 * turns[:, 0]) % 6
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = (offset + sector) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
