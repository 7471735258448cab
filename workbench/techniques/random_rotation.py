"""Random rotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.randomness import SampleRng


class RandomRotation(Technique):
    """Turn each image about its centre by a random angle: objects are seen tilted.

    Good for things that are photographed from any side, and in small angles for nearly everything. The corners that
    come in from outside are black.
    """

    name = "random_rotation"
    synonyms = ("rotate", "rotation")
    group = "augmentation"
    source = "Simard et al. 2003; torchvision RandomRotation"
    tradeoff = "Robust to tilt; every rotation blurs or roughens small images a little and cuts their corners off."

    degrees: float = parameter(15.0, gt=0, le=180, unit="degrees", description="largest angle, in both directions")
    interpolation: Literal["nearest", "bilinear"] = parameter(
        "nearest", description="how pixels between pixels are made: the nearest one (rough), or a blend (soft)"
    )

    def register(self, build: Builder) -> None:
        """Rotate the raw images."""
        build.hooks.image_augmentation.add(self._rotate, rank=40)

    def _rotate(self, images: Tensor, rng: SampleRng) -> Tensor:
        return random_rotation(images, self.degrees, rng, interpolation=self.interpolation)


def random_rotation(images: Tensor, degrees: float, rng: SampleRng, *, interpolation: str = "nearest") -> Tensor:
    """Turn each of the uint8 images ``[N, C, H, W]`` by its own angle, uniform over −degrees … degrees.

    interpolation: ``"nearest"`` or ``"bilinear"``. The size stays; what comes in from outside is black.
    """
    from workbench.image_operations.convert import as_uint8
    from workbench.image_operations.warp import rotation, warp

    angles = (rng.uniform()[:, 0].double() * 2 - 1) * degrees
    return as_uint8(warp(images.float(), rotation(angles), interpolation))
