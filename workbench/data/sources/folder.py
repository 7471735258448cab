"""A folder of image files, a sub-folder a class."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.data.base import DataError, DataSet, ImageFiles, Source, Split
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.data.layout import Layout, Part
    from workbench.data.verify import Verified

IN_MEMORY_BYTES = 2 * 2**30
"""Decoded images of all sets together stay in memory up to this size; beyond it, files are decoded on demand."""

REPORT_SECONDS = 2.0


class Folder(Source):
    """Your own images: train/<class>/* and test/<class>/* in one folder, and val/<class>/* for validation.

    The sets may also be called training, valid, validation or testing, in any case; without test/, val/ stands in for
    it, or test_share holds out some of train/. Images in sub-folders of a class belong to it. Grey, palette, RGBA, CMYK
    and 16-bit images become 8-bit RGB; EXIF orientation is applied. All images have one size, or image_size says to
    which square they are brought: shorter side scaled to it, then the centre cut out. Every image is decoded once
    before training starts; whatever is odd is said then, with counts and an example.
    """

    name = "folder"

    path: str = parameter(
        description="the folder; if relative, looked for in the data root, then where you are", min_length=1, path=True
    )
    image_size: int | None = parameter(
        None,
        ge=1,
        le=8192,
        unit="pixels",
        description="scale the shorter side to this and cut the central square; left out: as is",
    )
    test_share: float = parameter(
        0.0,
        ge=0,
        lt=1,
        description="share of train/ held out for testing where there is no test set; by the files' names",
    )
    bits: int | None = parameter(
        None,
        ge=8,
        le=16,
        unit="bits",
        description="how many bits of 16-bit grey images are in use; left out: as the largest value of the set has",
    )
    broken: Literal["refuse", "skip"] = parameter(
        "refuse", description="images that cannot be read; refuse: stop and name them; skip: leave them out and say so"
    )

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        """Find, check and decode all images. Raises DataError with all that stands in the way of it."""
        from workbench.data.glance import by_reason, glance
        from workbench.data.layout import find_parts
        from workbench.data.layout_rules import arrange, described
        from workbench.data.verify import verify

        folder = self._find(root)
        layout = find_parts(folder)
        said = arrange(layout, self.test_share)
        files = [file for part in layout.parts() for file in part.files]
        seen = glance(files, self.image_size, _reporter("looking at images", len(files), report))
        if self.image_size is None and (different := seen.size_fault()):
            layout.faults.append(different)
        if len(seen.broken) == len(files) > 0:
            layout.faults.append(f"none of {len(files):,} images can be read, such as {by_reason(seen.broken, folder)}")
        elif layout.faults and seen.broken and self.broken == "refuse":  # without other faults all are decoded first
            layout.faults.append(_broken_fault(seen.broken, len(files), folder))
        if layout.faults:
            raise DataError(described(layout))
        _drop(layout, seen.broken)
        files = [file for part in layout.parts() for file in part.files]
        bits = self.bits or seen.bits
        reporter = _reporter("checking images", len(files), report)
        found = verify(files, self.image_size, bits, IN_MEMORY_BYTES, reporter)
        broken = seen.broken | found.broken
        if broken and self.broken == "refuse":
            raise DataError(f"{folder}: {_broken_fault(broken, len(files) + len(seen.broken), folder)}")
        if broken:
            said.append(f"left out: {_broken(broken, len(files) + len(seen.broken), folder)}")
        _drop(layout, found.broken)
        said += seen.sentences(folder, self.bits)
        classes = sorted(layout.train.classes) if layout.train else []
        splits, start = [], 0
        for part in layout.parts():
            splits.append(self._split(part, classes, found, start, bits))
            start += len(part.files)
        return DataSet(
            train=splits[0],
            test=splits[-1],
            validation=splits[1] if layout.validation is not None else None,
            classes=tuple(classes),
            shape=found.shape,
            notes=tuple(said),
            files=ImageFiles(len(files) + len(seen.broken), _texts(broken, folder), _texts(seen.odd, folder)),
        )

    def _find(self, root: Path) -> Path:
        path = Path(self.path).expanduser()
        places = [path] if path.is_absolute() else [root.expanduser() / path, Path.cwd() / path]
        for place in places:
            if place.is_dir():
                return place
        looked = " or ".join(str(place) for place in places)
        raise DataError(
            f"data.path: there is no folder {looked}; give the path of the folder that holds train/ and test/, "
            "or say where data sets lie with --data-root (or WORKBENCH_DATA)"
        )

    def _split(self, part: Part, classes: list[str], found: Verified, start: int, bits: int) -> Split:
        import torch

        from workbench.data.splits import ArraySplit, FileSplit

        numbers = {name: number for number, name in enumerate(classes)}
        labels = torch.tensor([numbers[name] for name in part.labels], dtype=torch.int64)
        if found.images is None:
            return FileSplit(part.files, labels, found.shape, self.image_size, bits)
        return ArraySplit(torch.from_numpy(found.images[start : start + len(part.files)]), labels)


def _drop(layout: Layout, gone: dict[Path, str]) -> None:
    """Forget files that cannot be read. Raises DataError if a class of train/ or test/ loses its last image by that."""
    for part in layout.parts():
        files, labels, before = part.files, part.labels, part.counts()
        part.keep([file not in gone for file in part.files])
        after = part.counts()
        lost = [name for name in before if name not in after]
        if lost and part is not layout.validation:
            more = f" (nor have {len(lost) - 1} other classes)" if len(lost) > 1 else ""
            file = next(file for file, label in zip(files, labels, strict=True) if label == lost[0])
            count = "1 file" if before[lost[0]] == 1 else f"{before[lost[0]]:,} files"
            raise DataError(
                f"{part.folder / lost[0]} has no readable image{more}: {file.name} is one of {count}, {gone[file]}; "
                "add images or remove the class from every set"
            )


def _broken(broken: dict[Path, str], seen: int, folder: Path) -> str:
    from workbench.data.glance import by_reason

    return f"{len(broken):,} of {seen:,} images cannot be read: {by_reason(broken, folder)}"


def _broken_fault(broken: dict[Path, str], seen: int, folder: Path) -> str:
    them = "it" if len(broken) == 1 else "them"
    return f'{_broken(broken, seen, folder)}; repair or remove {them}, or set data.broken = "skip"'


def _texts(files: dict[Path, str], folder: Path) -> tuple[str, ...]:
    return tuple(f"{file.relative_to(folder)}: {why}" for file, why in sorted(files.items()))


def _reporter(what: str, total: int, report: Callable[[str], None]) -> Callable[[int], None]:
    """Says now and then how many of the files are done."""
    reported = time.monotonic()

    def done(count: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            report(f"{what}: {count:,} of {total:,}")

    return done
