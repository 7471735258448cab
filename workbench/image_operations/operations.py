"""The operations that augmentation policies choose among, and tables of them, from which every image takes its own row.

An operation is a kind and a magnitude, with torchvision's kinds and meanings:

- shear_x, shear_y: pixels of shift for each pixel of distance; translate_x, translate_y: pixels, fractions cut off;
  rotate: degrees anticlockwise;
- brightness, color, contrast, sharpness: the factor of ``torchvision.transforms.functional.adjust_…``, less 1;
- posterize: bits that stay; solarize: threshold as a share of 255; identity, autocontrast, equalize, invert: none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from workbench.image_operations import lookup
from workbench.image_operations.blend import color, grey, sharpness
from workbench.image_operations.convert import as_uint8
from workbench.image_operations.warp import rotation, shear_x, shear_y, translation, warp

_WARPS = {"shear_x", "shear_y", "translate_x", "translate_y", "rotate"}
_LOOKUPS = {"brightness", "contrast", "posterize", "solarize", "autocontrast", "equalize", "invert"}
_CANDIDATES = ("", "contrast", "autocontrast", "equalize")
"""Where an image's lookup table comes from: from the operation alone, or, for three kinds, also from the image."""


class Operation(NamedTuple):
    """What can be done to an image."""

    kind: str
    magnitude: float = 0.0


class OperationTable:
    """Some operations, a row each, for images of one shape: channels (1 or 3), height and width.

    interpolation: of the geometric operations, ``"nearest"`` or ``"bilinear"``.
    """

    def __init__(
        self, operations: Sequence[Operation], shape: tuple[int, int, int], interpolation: str = "nearest"
    ) -> None:
        channels, height, width = shape
        self.operations = tuple(operations)
        self._interpolation = interpolation
        self._kinds = {operation.kind for operation in operations}
        if channels == 1:
            self._kinds.discard("color")  # grey images have no colour to change
        made = {operation: _row(operation, height, width) for operation in set(operations)}
        columns = zip(*(made[operation] for operation in operations), strict=True)
        self._rows = {torch.device("cpu"): _Rows(*(torch.stack(column) for column in columns))}

    def __len__(self) -> int:
        return len(self.operations)

    def apply(self, images: Tensor, chosen: Tensor) -> Tensor:
        """Do to each of the uint8 images ``[N, C, H, W]`` what its row says; chosen: int64 ``[N]``.

        Every image goes through each stage that the table has any operation for, and is changed only in that of its own
        one. Nothing is decided by what lies on the device, so the host never waits for it.
        """
        rows = self._on(images.device)
        x = images.float()
        if self._kinds & _WARPS:
            x = warp(x, rows.matrix[chosen], self._interpolation)
        greys = grey(x) if self._kinds & {"color", "contrast"} else x
        if "color" in self._kinds:
            x = color(x, greys, rows.color[chosen])
        if "sharpness" in self._kinds:
            x = sharpness(x, rows.sharpness[chosen])
        images = as_uint8(x.clamp_(0, 255))
        if self._kinds & _LOOKUPS:
            images = self._look_up(images, greys, rows, chosen)
        return images

    def _look_up(self, images: Tensor, greys: Tensor, rows: _Rows, chosen: Tensor) -> Tensor:
        values = images.flatten(2).long()
        fixed = rows.table[chosen][:, None]
        candidates = (
            fixed,
            lookup.contrast(greys, rows.contrast[chosen]) if "contrast" in self._kinds else fixed,
            lookup.autocontrast(images) if "autocontrast" in self._kinds else fixed,
            lookup.equalize(values) if "equalize" in self._kinds else fixed,
        )
        n, channels = values.shape[:2]
        tables = torch.stack([tables.expand(n, channels, 256) for tables in candidates], dim=1)
        places = torch.arange(n, device=values.device) * len(candidates) + rows.candidate[chosen]
        return lookup.look_up(values, tables.flatten(0, 1).index_select(0, places)).view_as(images)

    def _on(self, device: torch.device) -> _Rows:
        """The rows on a device, copied there once."""
        if device not in self._rows:
            self._rows[device] = _Rows(*(column.to(device) for column in self._rows[torch.device("cpu")]))
        return self._rows[device]


class _Rows(NamedTuple):
    """What operations consist of, a column each; a single row has no first dimension."""

    matrix: Tensor  # float32 [K, 2, 3]
    color: Tensor  # float32 [K, 2]
    sharpness: Tensor  # float32 [K, 1]
    candidate: Tensor  # int64 [K], which table it looks up in: 0 its own, else a position in _CANDIDATES
    table: Tensor  # uint8 [K, 256], its own
    contrast: Tensor  # float32 [K, 2]


def _row(operation: Operation, height: int, width: int) -> _Rows:
    kind, magnitude = operation
    factor = 1 + magnitude
    blended = torch.tensor([factor, 1 - factor])
    unblended = torch.tensor([1.0, 0.0])
    return _Rows(
        matrix=_matrix(kind, magnitude, height, width),
        color=blended if kind == "color" else unblended,
        sharpness=blended[1:] if kind == "sharpness" else unblended[1:],
        candidate=torch.tensor(_CANDIDATES.index(kind) if kind in _CANDIDATES else 0),
        table=_table(kind, magnitude),
        contrast=blended if kind == "contrast" else unblended,
    )


def _matrix(kind: str, magnitude: float, height: int, width: int) -> Tensor:
    match kind:
        case "shear_x":
            return shear_x(math.degrees(math.atan(magnitude)), height)
        case "shear_y":
            return shear_y(math.degrees(math.atan(magnitude)), width)
        case "translate_x":
            return translation(int(magnitude), 0)
        case "translate_y":
            return translation(0, int(magnitude))
        case "rotate":
            return rotation(torch.tensor([magnitude], dtype=torch.float64))[0]
        case _:
            return translation(0, 0)


def _table(kind: str, magnitude: float) -> Tensor:
    match kind:
        case "brightness":
            return lookup.brightness(1 + magnitude)
        case "posterize":
            return lookup.posterize(int(magnitude))
        case "solarize":
            return lookup.solarize(255 * magnitude)
        case "invert":
            return lookup.solarize(0)
        case _:
            return lookup.identity()
