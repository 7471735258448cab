"""AutoAugment."""

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

# The policy found for CIFAR-10: of each operation the kind, the probability in tenths and the level, 0–9.
SUB_POLICIES = (
    (("invert", 1, 0), ("contrast", 2, 6)),
    (("rotate", 7, 2), ("translate_x", 3, 9)),
    (("sharpness", 8, 1), ("sharpness", 9, 3)),
    (("shear_y", 5, 8), ("translate_y", 7, 9)),
    (("autocontrast", 5, 0), ("equalize", 9, 0)),
    (("shear_y", 2, 7), ("posterize", 3, 7)),
    (("color", 4, 3), ("brightness", 6, 7)),
    (("sharpness", 3, 9), ("brightness", 7, 9)),
    (("equalize", 6, 0), ("equalize", 5, 0)),
    (("contrast", 6, 7), ("sharpness", 6, 5)),
    (("color", 7, 7), ("translate_x", 5, 8)),
    (("equalize", 3, 0), ("autocontrast", 4, 0)),
    (("translate_y", 4, 3), ("sharpness", 2, 6)),
    (("brightness", 9, 6), ("color", 2, 8)),
    (("solarize", 5, 2), ("invert", 0, 0)),
    (("equalize", 2, 0), ("autocontrast", 6, 0)),
    (("equalize", 2, 0), ("equalize", 6, 0)),
    (("color", 9, 9), ("equalize", 6, 0)),
    (("autocontrast", 8, 0), ("solarize", 2, 8)),
    (("brightness", 1, 3), ("color", 7, 0)),
    (("solarize", 4, 5), ("autocontrast", 9, 0)),
    (("translate_y", 9, 9), ("translate_y", 7, 9)),
    (("autocontrast", 9, 0), ("solarize", 8, 3)),
    (("equalize", 8, 0), ("invert", 1, 0)),
    (("translate_y", 7, 9), ("autocontrast", 9, 0)),
)
LEVELS = 10
_CASES = 20
"""Of each operation there are ten tenths of its probability, each in both directions."""


class AutoAugment(Technique):
    """Do to each image one of the 25 pairs of operations that a search on CIFAR-10 found best.

    Each operation of a pair is done with its own probability. Mostly colour operations; rotation, shear and translation
    in some. Found for CIFAR-10, good on CIFAR-100 too.
    """

    name = "autoaugment"
    group = "augmentation"
    source = "Cubuk et al. 2019, arXiv:1805.09501 (CIFAR-10 policy); torchvision AutoAugment"
    tradeoff = (
        "Better accuracy in long runs on photographs of 32×32; found for these and nothing else, slow in short runs."
    )

    interpolation: Literal["nearest", "bilinear"] = parameter(
        "nearest", description="how rotation and shear make pixels: the nearest one (rough), or a blend (soft)"
    )

    def register(self, build: Builder) -> None:
        """Change the raw images."""
        self.require_channels(build, 1, 3)
        table = autoaugment_table(build.image_shape, self.interpolation)
        build.hooks.image_augmentation.add(partial(autoaugment, table=table), rank=50)


def autoaugment_table(shape: tuple[int, int, int], interpolation: str = "nearest") -> OperationTable:
    """For every sub-policy and each of its two places the 20 equally likely operations, "identity" among them.

    shape: the images' channels (1 or 3), height and width.
    """
    from workbench.image_operations.operations import Operation, OperationTable
    from workbench.image_operations.spaces import standard_space

    space = standard_space(LEVELS, *shape[1:])
    operations: list[Operation] = []
    for sub_policy in SUB_POLICIES:
        for kind, tenths, level in sub_policy:
            operations += space.operations(kind, level) * tenths
            operations += space.operations("identity", 0) * (10 - tenths)
    return OperationTable(operations, shape, interpolation)


def autoaugment_rows(rng: SampleRng) -> Tensor:
    """Draw a sub-policy for each image: the rows of its two operations in the table, int64 ``[N, 2]``."""
    import torch

    place = rng.integers(len(SUB_POLICIES)) * 2
    places = torch.cat((place, place + 1), dim=1)
    return places * _CASES + rng.integers(_CASES, 2)


def autoaugment(images: Tensor, rng: SampleRng, *, table: OperationTable) -> Tensor:
    """Do the two operations of a sub-policy, drawn for each image on its own, to uint8 images ``[N, C, H, W]``."""
    for chosen in autoaugment_rows(rng).unbind(1):
        images = table.apply(images, chosen)
    return images
