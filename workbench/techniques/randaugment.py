"""RandAugment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.image_operations.operations import OperationTable
    from workbench.randomness import SampleRng

LEVELS = 31


class RandAugment(Technique):
    """Do some operations, drawn at random from fourteen, to each image, all equally strong.

    Rotation, shear, translation, brightness, contrast, colour, sharpness, posterize, solarize, autocontrast, equalize,
    or nothing. Two numbers replace AutoAugment's search: raise them with the size of the network and the length of the
    run.
    """

    name = "randaugment"
    group = "augmentation"
    source = "Cubuk et al. 2020, arXiv:1909.13719; torchvision RandAugment"
    tradeoff = "Better accuracy in long runs of large networks; short runs and small networks learn too slowly with it."

    operations: int = parameter(2, ge=1, le=16, description="operations done to each image, one after the other")
    magnitude: int = parameter(9, ge=0, le=LEVELS - 1, description="how strong they are, 0–30")
    interpolation: Literal["nearest", "bilinear"] = parameter(
        "nearest", description="how rotation and shear make pixels: the nearest one (rough), or a blend (soft)"
    )

    def register(self, build: Builder) -> None:
        """Change the raw images."""
        self.require_channels(build, 1, 3)
        table = randaugment_table(build.image_shape, self.magnitude, self.interpolation)
        function = partial(randaugment, table=table, operations=self.operations)
        build.hooks.image_augmentation.add(function, rank=50)


def randaugment_table(shape: tuple[int, int, int], magnitude: int, interpolation: str = "nearest") -> OperationTable:
    """The equally likely operations at a magnitude, 0–30, for images of a shape: channels (1 or 3), height, width."""
    from workbench.image_operations.operations import OperationTable
    from workbench.image_operations.spaces import KINDS, standard_space

    space = standard_space(LEVELS, *shape[1:])
    operations = [operation for kind in KINDS for operation in space.operations(kind, magnitude)]
    return OperationTable(operations, shape, interpolation)


def randaugment(images: Tensor, rng: SampleRng, *, table: OperationTable, operations: int) -> Tensor:
    """Do ``operations`` rows of the table, drawn for each image on its own, to uint8 images ``[N, C, H, W]``."""
    for chosen in rng.integers(len(table), operations).unbind(1):
        images = table.apply(images, chosen)
    return images
