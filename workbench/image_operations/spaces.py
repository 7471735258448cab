"""The operation spaces of the policies: how far each kind of operation goes at which level."""

from __future__ import annotations

from typing import NamedTuple

import torch

from workbench.image_operations.operations import Operation

KINDS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
"""The 14 kinds that RandAugment and TrivialAugment draw from; AutoAugment also has invert."""


class Space(NamedTuple):
    """The magnitudes at the highest of some levels; at level 0 they are 0, or change nothing."""

    levels: int
    shear: float
    translate_x: float
    translate_y: float
    rotate: float
    enhance: float
    """Of brightness, color, contrast and sharpness."""
    posterize: int
    """Bits that are lost."""

    def operations(self, kind: str, level: int) -> tuple[Operation, Operation]:
        """The operation of a kind at a level in both directions: twice the same where it has only one."""
        match kind:
            case "identity" | "autocontrast" | "equalize" | "invert":
                return Operation(kind), Operation(kind)
            case "posterize":
                bits = Operation(kind, 8 - round(level * self.posterize / (self.levels - 1)))
                return bits, bits
            case "solarize":
                threshold = Operation(kind, self._at_level(1.0, 0.0, level))
                return threshold, threshold
            case "shear_x" | "shear_y":
                top = self.shear
            case "translate_x":
                top = self.translate_x
            case "translate_y":
                top = self.translate_y
            case "rotate":
                top = self.rotate
            case _:
                top = self.enhance
        magnitude = self._at_level(0.0, top, level)
        return Operation(kind, magnitude), Operation(kind, -magnitude)

    def _at_level(self, first: float, last: float, level: int) -> float:
        # torch's own steps: a translation of 15.9999 pixels would be one of 15, a threshold of 238.001 leave 238 out
        return float(torch.linspace(first, last, self.levels)[level])


def standard_space(levels: int, height: int, width: int) -> Space:
    """The space of AutoAugment and RandAugment; translations are shares of the image, as 150 of 331 pixels are."""
    return Space(levels, 0.3, 150 / 331 * width, 150 / 331 * height, 30.0, 0.9, 4)


def wide_space() -> Space:
    """TrivialAugment's wide space: 31 levels; translations up to 32 pixels, whatever the image's size."""
    return Space(31, 0.99, 32.0, 32.0, 135.0, 0.99, 6)
