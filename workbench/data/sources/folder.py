"""A folder of image files, a sub-folder a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.data.base import DataError, DataSet, ImageFiles, Source, Split
from workbench.recipe.cards import parameter

if TYPE_CHECKING:
    from workbench.data.verify import Verified

IN_MEMORY_BYTES = 2 * 2**30
"""Decoded images of train and test together stay in memory up to this size; beyond it, files are decoded on demand."""

LAYOUT = "expected train/<class>/* and test/<class>/* (or val/<class>/*)"


class Folder(Source):
    """Your own images: train/<class>/* and test/<class>/* (or val/) in one folder.

    Grey, palette, RGBA and 16-bit images become 8-bit RGB; EXIF orientation is applied. All images have one size, or
    image_size says to which square they are brought: shorter side scaled to it, then the centre cut out. Every image is
    decoded once before training starts, so that a broken one is found then.
    """

    name = "folder"

    path: str = parameter(
        description="the folder; if relative, looked for in the data root, then where you are", min_length=1
    )
    image_size: int | None = parameter(
        None,
        ge=1,
        le=8192,
        unit="pixels",
        description="scale the shorter side to this and cut the central square; left out: as is",
    )
    broken: Literal["refuse", "skip"] = parameter(
        "refuse", description="images that cannot be read; refuse: stop and name them; skip: leave them out and say so"
    )

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        """Find, check and decode all images. Raises DataError for any fault in layout, classes, sizes or files."""
        from workbench.data.verify import verify

        folder = self._find(root)
        train = _scan(folder / "train")
        test = _scan(_test_folder(folder))
        _check_classes(train, test)
        found = verify([*train.files, *test.files], self.image_size, IN_MEMORY_BYTES, report)
        notes = [*train.notes(folder), *test.notes(folder)]
        if found.broken:
            notes.append(self._judge(found, folder))
        gone = frozenset(found.broken)
        for part in (train, test):
            part.drop(gone)
            _check_not_empty(part, "has no readable image")
        return DataSet(
            train=self._split(train, found, 0),
            test=self._split(test, found, len(train.files)),
            classes=tuple(train.classes),
            shape=found.shape,
            notes=tuple(notes),
            files=ImageFiles(found.seen, *(_texts(files, folder) for files in (found.broken, found.odd))),
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

    def _judge(self, found: Verified, folder: Path) -> str:
        """The note about broken images, or the refusal."""
        count = len(found.broken)
        shown = ", ".join(f"{file.relative_to(folder)} ({why})" for file, why in list(found.broken.items())[:3])
        what = f"{count} of {found.seen} images cannot be read: {shown}{', …' if count > 3 else ''}"
        if self.broken == "refuse":
            raise DataError(
                f'{folder}: {what}; repair or remove {"it" if count == 1 else "them"}, or set data.broken = "skip"'
            )
        return f"left out: {what}"

    def _split(self, part: _Part, found: Verified, start: int) -> Split:
        import torch

        from workbench.data.splits import ArraySplit, FileSplit

        labels = torch.tensor(part.labels, dtype=torch.int64)
        if found.images is None:
            return FileSplit(part.files, labels, found.shape, self.image_size)
        return ArraySplit(torch.from_numpy(found.images[start : start + len(part.files)]), labels)


def _texts(files: dict[Path, str], folder: Path) -> tuple[str, ...]:
    return tuple(f"{file.relative_to(folder)}: {why}" for file, why in sorted(files.items()))


@dataclass
class _Part:
    """The files of ``train/`` or ``test/``, class by class, and what else lay there."""

    folder: Path
    classes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def drop(self, gone: frozenset[Path]) -> None:
        kept = [(file, label) for file, label in zip(self.files, self.labels, strict=True) if file not in gone]
        self.files, self.labels = [file for file, _ in kept], [label for _, label in kept]

    def notes(self, folder: Path) -> Sequence[str]:
        if not self.others:
            return ()
        count = len(self.others)
        what = "1 entry that is" if count == 1 else f"{count} entries that are"
        return [f"{self.folder.name}: ignored {what} not an image file, such as {self.others[0].relative_to(folder)}"]


def _test_folder(folder: Path) -> Path:
    return next((folder / name for name in ("test", "val") if (folder / name).is_dir()), folder / "test")


def _scan(folder: Path) -> _Part:
    """List a part's classes and image files, sorted by name; hidden entries are not looked at."""
    from workbench.data.images import SUFFIXES

    if not folder.is_dir():
        raise DataError(f"{folder.parent} has no folder {folder.name}/; {LAYOUT}")
    part = _Part(folder)
    for entry in _visible(folder):
        if not entry.is_dir():
            part.others.append(entry)
            continue
        for file in _visible(entry):
            if file.suffix.lower() in SUFFIXES and (file.is_file() or (file.is_symlink() and not file.is_dir())):
                part.files.append(file)
                part.labels.append(len(part.classes))
            else:
                part.others.append(file)
        part.classes.append(entry.name)
    return part


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}") from error


def _check_classes(train: _Part, test: _Part) -> None:
    for part in (train, test):
        if not part.classes:
            raise DataError(f"{part.folder} has no class folders; {LAYOUT}")
    if len(train.classes) == 1:
        raise DataError(f"{train.folder} has a single class, {train.classes[0]}; a classifier needs two or more")
    for one, other in ((train, test), (test, train)):
        extra = [name for name in one.classes if name not in other.classes]
        if extra:
            names = ", ".join(extra[:5]) + (", …" if len(extra) > 5 else "")
            raise DataError(
                f"{one.folder.parent}: {_plural(len(extra), 'class', 'classes')} in {one.folder.name}/ "
                f"but not in {other.folder.name}/: {names}; both need the same class folders"
            )
    for part in (train, test):
        _check_not_empty(part, "has no image file")


def _check_not_empty(part: _Part, what: str) -> None:
    present = set(part.labels)
    empty = [part.folder / name for label, name in enumerate(part.classes) if label not in present]
    if empty:
        more = f" (nor have {len(empty) - 1} other class folders)" if len(empty) > 1 else ""
        inside = " directly in it" if any(entry.is_dir() for entry in _visible(empty[0])) else ""
        raise DataError(
            f"{empty[0]} {what}{inside}{more}; add images or remove the class from train/ and {part.folder.name}/"
        )


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
