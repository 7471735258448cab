"""What an evaluation said of each image: ``evaluation.json`` in a run's directory. Torch-free.

``confusion``, ``class_accuracy``, ``mistakes``; a mistake's ``pixels`` are uint8 ``[height, width, 3]`` in row order,
ready to be drawn: see :func:`half_blocks`.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter

from workbench.filesystem import not_written
from workbench.storage.atomic import write_bytes
from workbench.storage.digest import Damaged, seal, unseal
from workbench.storage.values import Count, Figure, Finite

FORMAT = 1

Colour = tuple[int, int, int]
"""Red, green and blue, 0–255."""


def _from_base64(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Pixels = Annotated[bytes, BeforeValidator(_from_base64)]
"""Base 64 in the file."""


@dataclass(frozen=True)
class Mistake:
    """An image that was taken for another class. index: its position in the split. probability: what the network gave
    its wrong answer, 0–1. pixels: uint8 ``[height, width, 3]``.
    """

    index: Count
    label: Count
    predicted: Count
    probability: Finite
    pixels: Pixels


@dataclass(frozen=True)
class Results:
    """One evaluation of a whole split. confusion: how often class ``row`` was taken for class ``column``.

    loss: mean, nats; accuracy: 0–1. mistakes: the most confident first. height, width: of their pictures.
    """

    split: str
    step: Count
    loss: Figure
    accuracy: Figure
    classes: tuple[str, ...]
    confusion: tuple[tuple[Count, ...], ...]
    height: Count
    width: Count
    mistakes: tuple[Mistake, ...]

    @property
    def images(self) -> int:
        """How many images the split has."""
        return sum(map(sum, self.confusion))

    @property
    def class_accuracy(self) -> tuple[float, ...]:
        """The share of each class that was recognised, 0–1; nan for a class without images."""
        rows = enumerate(self.confusion)
        return tuple(row[label] / sum(row) if sum(row) else math.nan for label, row in rows)

    def confusions(self, count: int) -> list[tuple[int, int, int]]:
        """The most frequent mistakes: (times, true class, predicted class), the most frequent first."""
        found = [
            (times, label, predicted)
            for label, row in enumerate(self.confusion)
            for predicted, times in enumerate(row)
            if times and label != predicted
        ]
        return sorted(found, key=lambda entry: (-entry[0], entry[1], entry[2]))[:count]


def to_json(results: Results) -> str:
    """What ``evaluation.json`` holds, sealed with its digest."""
    values = asdict(results) | {"format": FORMAT, "loss": results.loss if math.isfinite(results.loss) else None}
    for mistake in values["mistakes"]:
        mistake["pixels"] = base64.b64encode(mistake["pixels"]).decode("ascii")
    return seal(json.dumps(values, separators=(",", ":")))


@dataclass(frozen=True)
class _Format:
    format: int


_FORMAT, _ADAPTER = TypeAdapter(_Format), TypeAdapter(Results)


def write_results(path: Path, results: Results) -> None:
    """Write the file in one step. Raises OSError, which says in one line why it cannot be and what to do."""
    data = to_json(results).encode()
    try:
        write_bytes(path, data)
    except OSError as error:
        raise OSError(not_written(path, error, len(data))) from error


class AnotherFormat(ValueError):
    """Results that another version wrote."""


def from_json(data: bytes) -> Results:
    """The results as they were written. Raises ValueError, of which AnotherFormat and Damaged say what is wrong.

    Mistakes without a picture of the right size, or of classes that are not there, are left out.
    """
    data = unseal(data)
    if (found := _FORMAT.validate_json(data, strict=True).format) != FORMAT:
        raise AnotherFormat(f"has format {found}, this workbench reads {FORMAT}")
    results = _ADAPTER.validate_json(data, strict=True)
    classes = range(len(results.classes))
    if len(results.confusion) != len(classes) or any(len(row) != len(classes) for row in results.confusion):
        raise Damaged(f"its confusion matrix is not that of {len(classes)} classes")
    size = 3 * results.height * results.width
    usable = (m for m in results.mistakes if len(m.pixels) == size and m.label in classes and m.predicted in classes)
    return replace(results, mistakes=tuple(usable))


def half_blocks(pixels: bytes, height: int, width: int) -> list[list[tuple[Colour, Colour]]]:
    """A picture as rows of terminal cells: the colours of each cell's upper and lower half, for the sign ``▀``.

    pixels: uint8 ``[height, width, 3]``. An odd last row has its colour twice.
    """

    def colour(row: int, column: int) -> Colour:
        start = 3 * (row * width + column)
        return pixels[start], pixels[start + 1], pixels[start + 2]

    return [
        [(colour(row, column), colour(min(row + 1, height - 1), column)) for column in range(width)]
        for row in range(0, height, 2)
    ]
