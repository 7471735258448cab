"""What every data source has in common, and the splits that it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workbench.recipe.registries import SOURCES
from workbench.recipe.specs import Spec
from workbench.registered import asked_for

if TYPE_CHECKING:
    from torch import Tensor


class DataError(Exception):
    """A data set that is missing or broken: one line that says what, where, and what to do."""


class NoStep(DataError):
    """A data set from which not one batch can be made."""


class Split(Protocol):
    """Images with labels. ``labels``: int64 ``[N]`` on the CPU."""

    labels: Tensor

    def __len__(self) -> int: ...

    def images(self, indices: Tensor | None = None) -> Tensor:
        """uint8 ``[n, C, H, W]`` on the CPU: the images at these positions, or all of them (do not write to those)."""
        ...


@dataclass(frozen=True)
class ImageFiles:
    """What became of a set's image files. broken, odd: a text each, with the file and what is wrong with it."""

    seen: int
    broken: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A loaded data set. ``shape``: channels, height, width. ``notes``: sentences for the log (files left out, …).

    files: None where the images are no files of their own. validation: None where the set has no such part of its own.
    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    notes: tuple[str, ...] = ()
    files: ImageFiles | None = None
    validation: Split | None = None


@dataclass(frozen=True)
class Known:
    """What is known of a data set without its files. shape: channels, height, width; classes are of one size."""

    shape: tuple[int, int, int]
    classes: int
    training_images: int
    test_images: int


def loaded(source: Spec, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
    """A recipe's data set. Raises DataError, and TechniqueError where a source of somebody's own is at fault."""
    load = source.load  # type: ignore[attr-defined]
    expected = "load(self, root, report) -> DataSet"
    return asked_for(f"data.{source.name}", expected, DataSet, load, root, report, may_raise=None)


class Source(Spec):
    """Base of all data sources."""

    registry = SOURCES

    def known(self) -> Known | None:
        """What is known of it without its files; None where they have to be seen."""
        return None

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        """Read the data set; ``root`` is where data sets lie. Raises DataError before any training if a file is bad."""
        raise TypeError(f"data source '{self.name}' loads nothing; it must define load(root)")

    def get(self, root: Path, report: Callable[[str, float], None]) -> Path:
        """Fetch the data set into ``root``; ``report`` hears what is done and the share, 0–1. Raises DataError."""
        raise DataError(f"data source '{self.name}' is not one that can be downloaded")
