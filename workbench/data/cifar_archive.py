"""The CIFAR data sets in the files that torchvision and the original archives have."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from workbench.data.base import DataError, DataSet, Known, Source
from workbench.data.cache import Cache
from workbench.storage.atomic import write_bytes


@dataclass
class Archive:
    """An archive of the CIFAR data sets. ``md5s``: its files with their official MD5s, those of torchvision."""

    source: str
    folder: str
    torchvision: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels_key: bytes
    names_key: bytes
    classes: int
    md5s: dict[str, str]

    @property
    def how(self) -> str:
        """How to get it."""
        return (
            f"get it with `workbench data get {self.source}`, or put the extracted folder {self.folder} there, "
            "or say where it is with --data-root (or WORKBENCH_DATA)"
        )

    def is_official(self, file: Path) -> bool:
        """Whether a file is there and is the one of the archive."""
        try:
            return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == self.md5s[file.name]
        except OSError:
            return False


class CifarSource(Source):
    """What CIFAR-10 and CIFAR-100 have in common: files that are pickles, checked by their MD5s."""

    archive: ClassVar[Archive]

    def known(self) -> Known:
        """Both have 50,000 images to train and 10,000 to test."""
        return Known((3, 32, 32), self.archive.classes, 50_000, 10_000)

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        """Read and check the archive's folder in ``root``, or map what an earlier run kept of the same files.

        Raises DataError if a file is missing or not official.
        """
        archive = self.archive
        folder = root.expanduser() / archive.folder
        absent = [name for name in archive.md5s if not (folder / name).is_file()]
        if absent:
            more = f" (and {len(absent) - 1} more files)" if len(absent) > 1 else ""
            raise DataError(f"{self.name}: {absent[0]}{more} not found in {folder}; {archive.how}")
        report(f"reading {self.name} in {folder}")
        files = [folder / name for name in archive.md5s]
        cache = Cache(folder.parent / f"{archive.folder}.cache", files, archive.md5s.values())
        if (kept := cache.read()) is not None:
            return kept
        if cache.damaged:
            report(cache.damaged)
        data = self._decode(folder)
        cache.write(data)
        return data

    def _decode(self, folder: Path) -> DataSet:
        archive = self.archive
        with ThreadPoolExecutor() as pool:
            read = pool.map(lambda name: _read(archive, folder / name), archive.md5s)
            contents = dict(zip(archive.md5s, read, strict=True))
        return DataSet(
            train=_split(archive, [contents[name] for name in archive.train]),
            test=_split(archive, [contents[name] for name in archive.test]),
            classes=tuple(label.decode() for label in contents[archive.meta][archive.names_key]),
            shape=(3, 32, 32),
        )

    def get(self, root: Path, report: Callable[[str, float], None]) -> Path:
        """Download the archive into ``root``, check it and take the files out; what is there and right is kept."""
        from torchvision import datasets

        from workbench.data.download import download

        archive, theirs = self.archive, getattr(datasets, self.archive.torchvision)
        folder = root.expanduser() / archive.folder
        if all(archive.is_official(folder / name) for name in archive.md5s):
            report("already there", 1.0)
            return folder
        packed = folder.parent / theirs.filename
        try:
            folder.mkdir(parents=True, exist_ok=True)
            download(theirs.url, packed, theirs.tgz_md5, report)
            report("extracting", 1.0)
            _extract(archive, packed, folder)
            packed.unlink()
        except OSError as error:
            raise DataError(f"{self.name}: cannot write in {folder}: {error}") from error
        return folder


def _read(archive: Archive, file: Path) -> dict[bytes, Any]:
    """Check a file and unpickle it. Only bytes with the official MD5 are unpickled, so that no other code can run."""
    try:
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{archive.source}: {file} cannot be read: {reason}; {archive.how}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != archive.md5s[file.name]:
        raise DataError(
            f"{archive.source}: {file.name} in {file.parent} is broken: {len(content):,} bytes with MD5 {found}, "
            f"where the official file has {archive.md5s[file.name]}; delete it, then {archive.how}"
        )
    unpickled: dict[bytes, Any] = pickle.loads(content, encoding="bytes")
    return unpickled


def _split(archive: Archive, batches: list[dict[bytes, Any]]) -> Any:
    import numpy as np
    import torch

    from workbench.data.splits import ArraySplit

    images = torch.from_numpy(np.concatenate([batch[b"data"] for batch in batches])).view(-1, 3, 32, 32)
    return ArraySplit(images, torch.tensor([label for batch in batches for label in batch[archive.labels_key]]))


def _extract(archive: Archive, packed: Path, folder: Path) -> None:
    """Take the known files out of the archive, by name, whatever paths or links it may hold besides."""
    with tarfile.open(packed, "r:gz") as opened:
        for member in opened:
            name = member.name.removeprefix(f"{archive.folder}/")
            content = opened.extractfile(member) if name in archive.md5s and member.isfile() else None
            if content is not None:
                write_bytes(folder / name, content.read())
    wrong = [name for name in archive.md5s if not archive.is_official(folder / name)]
    if wrong:
        raise DataError(f"{archive.source}: {packed} does not hold the official {wrong[0]}; delete it and try again")
