"""CIFAR-10 in the files that torchvision and the original archive have."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workbench.data.base import DataError, DataSet, Source

FOLDER = "cifar-10-batches-py"
TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
META = {"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"}
FILES = TRAIN | TEST | META
"""File names and official MD5s, those of torchvision.datasets.CIFAR10 (a test compares: importing it takes seconds)."""

HOW = (
    f"get it with `workbench data get cifar10`, or put the extracted folder {FOLDER} there, "
    "or say where it is with --data-root (or WORKBENCH_DATA)"
)


class Cifar10(Source):
    """CIFAR-10: 60,000 colour photographs of 32×32 pixels in 10 classes, 50,000 to train and 10,000 to test.

    Read from the folder cifar-10-batches-py of the original archive, the layout of torchvision; every file's MD5 must
    be the official one.
    """

    name = "cifar10"
    source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        """Read and check ``root``/cifar-10-batches-py. Raises DataError if a file is missing or not official."""
        folder = root.expanduser() / FOLDER
        absent = [name for name in FILES if not (folder / name).is_file()]
        if absent:
            more = f" (and {len(absent) - 1} more files)" if len(absent) > 1 else ""
            raise DataError(f"cifar10: {absent[0]}{more} not found in {folder}; {HOW}")
        report(f"reading cifar10 in {folder}")
        with ThreadPoolExecutor() as pool:
            contents = dict(zip(FILES, pool.map(lambda name: _read(folder / name), FILES), strict=True))
        classes = tuple(label.decode() for label in contents["batches.meta"][b"label_names"])
        return DataSet(
            train=_split([contents[name] for name in TRAIN]),
            test=_split([contents[name] for name in TEST]),
            classes=classes,
            shape=(3, 32, 32),
        )

    def get(self, root: Path, report: Callable[[str, float], None]) -> Path:
        """Download the archive into ``root``, check it and take the files out; what is there and right is kept."""
        from torchvision.datasets import CIFAR10

        from workbench.data.download import download

        folder = root.expanduser() / FOLDER
        if all(_is_official(folder / name) for name in FILES):
            report("already there", 1.0)
            return folder
        archive = folder.parent / CIFAR10.filename
        try:
            folder.mkdir(parents=True, exist_ok=True)
            download(CIFAR10.url, archive, CIFAR10.tgz_md5, report)
            report("extracting", 1.0)
            _extract(archive, folder)
            archive.unlink()
        except OSError as error:
            raise DataError(f"cifar10: cannot write in {folder}: {error}") from error
        return folder


def _read(file: Path) -> dict[bytes, Any]:
    """Check a file and unpickle it. Only bytes with the official MD5 are unpickled, so that no other code can run."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cifar10: {file} cannot be read: {error.strerror or error}; {HOW}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != FILES[file.name]:
        raise DataError(
            f"cifar10: {file.name} in {file.parent} is broken: {len(content):,} bytes with MD5 {found}, "
            f"where the official file has {FILES[file.name]}; delete it, then {HOW}"
        )
    unpickled: dict[bytes, Any] = pickle.loads(content, encoding="bytes")
    return unpickled


def _split(batches: list[dict[bytes, Any]]) -> Any:
    import numpy as np
    import torch

    from workbench.data.splits import ArraySplit

    images = torch.from_numpy(np.concatenate([batch[b"data"] for batch in batches])).view(-1, 3, 32, 32)
    return ArraySplit(images, torch.tensor([label for batch in batches for label in batch[b"labels"]]))


def _is_official(file: Path) -> bool:
    try:
        return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == FILES[file.name]
    except OSError:
        return False


def _extract(archive: Path, folder: Path) -> None:
    """Take the known files out of the archive, by name, whatever paths or links it may hold besides."""
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            name = member.name.removeprefix(f"{FOLDER}/")
            content = opened.extractfile(member) if name in FILES and member.isfile() else None
            if content is not None:
                partial = folder / f"{name}.partial"
                partial.write_bytes(content.read())
                partial.replace(folder / name)
    wrong = [name for name in FILES if not _is_official(folder / name)]
    if wrong:
        raise DataError(f"cifar10: {archive} does not hold the official {wrong[0]}; delete it and try again")
