"""What the last evaluation of a run said, image by image: ``evaluation.json`` in its directory. Torch-free.

Write: :func:`write_results`. Read: :func:`read_results`, then ``confusion``, ``class_accuracy``, ``mistakes``. A
mistake's ``pixels`` are uint8 ``[height, width, 3]`` in row order, ready to be drawn; see :func:`half_blocks`.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.runs.files import replace_text

FORMAT = 1

Colour = tuple[int, int, int]
"""Red, green and blue, 0–255."""


@dataclass(frozen=True)
class Mistake:
    """An image that was taken for another class. index: its position in the split. probability: what the network gave
    its wrong answer, 0–1. pixels: uint8 ``[height, width, 3]``.
    """

    index: int
    label: int
    predicted: int
    probability: float
    pixels: bytes


@dataclass(frozen=True)
class Results:
    """One evaluation of a whole split. confusion: how often class ``row`` was taken for class ``column``.

    loss: mean, nats; accuracy: 0–1. mistakes: the most confident first. height, width: of their pictures.
    """

    split: str
    step: int
    loss: float
    accuracy: float
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    height: int
    width: int
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


def write_results(path: Path, results: Results) -> None:
    """Write the file in one step. Raises RunError."""
    values = asdict(results) | {"format": FORMAT, "loss": results.loss if math.isfinite(results.loss) else None}
    for mistake in values["mistakes"]:
        mistake["pixels"] = base64.b64encode(mistake["pixels"]).decode("ascii")
    replace_text(path, json.dumps(values, separators=(",", ":")))


def read_results(path: Path) -> Results | None:
    """The results in a file; None where there is none, or none that this version can read."""
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        if values.pop("format") != FORMAT:
            return None
        values["classes"] = tuple(values["classes"])
        values["confusion"] = tuple(map(tuple, values["confusion"]))
        values["loss"] = math.nan if values["loss"] is None else values["loss"]
        size = 3 * values["height"] * values["width"]
        mistakes = [Mistake(**m | {"pixels": base64.b64decode(m["pixels"])}) for m in values["mistakes"]]
        values["mistakes"] = tuple(mistake for mistake in mistakes if len(mistake.pixels) == size)
        return Results(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


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
