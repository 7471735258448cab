"""TrivialAugment."""

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


class TrivialAugment(Technique):
    """Do one operation, drawn at random from fourteen, to each image, with a random strength.

    Rotation, shear, translation, brightness, contrast, colour, sharpness, posterize, solarize, autocontrast, equalize,
    or nothing, from hardly visible to very strong (the "wide" space). There is nothing to tune.
    """

    name = "trivial_augment"
    group = "augmentation"
    source = "Müller and Hutter 2021, arXiv:2103.10158 (wide space); torchvision TrivialAugmentWide"
    tradeoff = "Nothing to tune and good in long runs; its strongest shifts leave little or nothing of a 32×32 image."

    interpolation: Literal["nearest", "bilinear"] = parameter(
        "nearest", description="how rotation and shear make pixels: the nearest one (rough), or a blend (soft)"
    )

    def register(self, build: Builder) -> None:
        """Change the raw images."""
        self.require_channels(build, 1, 3)
        table = trivial_augment_table(build.image_shape, self.interpolation)
        build.hooks.image_augmentation.add(partial(trivial_augment, table=table), rank=50)


def trivial_augment_table(shape: tuple[int, int, int], interpolation: str = "nearest") -> OperationTable:
    """The equally likely operations for images of a shape: channels (1 or 3), height, width."""
    from workbench.image_operations.operations import OperationTable
    from workbench.image_operations.spaces import KINDS, wide_space

    space = wide_space()
    operations = [
        operation for kind in KINDS for level in range(space.levels) for operation in space.operations(kind, level)
    ]
    return OperationTable(operations, shape, interpolation)


def trivial_augment(images: Tensor, rng: SampleRng, *, table: OperationTable) -> Tensor:
    """Do one row of the table, drawn for each image on its own, to uint8 images ``[N, C, H, W]``."""
    return table.apply(images, rng.integers(len(table))[:, 0])
