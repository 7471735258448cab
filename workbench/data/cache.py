"""Decoded image sets kept beside their files, so that a later run maps them into memory and reads nothing twice."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from safetensors import SafetensorError, safe_open

from workbench.data.base import DataSet
from workbench.storage.atomic import written_aside
from workbench.storage.digest import HEX, Hasher, digest
from workbench.storage.regular import open_regular

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
NONE_YET = "0" * HEX
"""What stands for the digest while it is being taken: it covers the header, too, in which it has its place."""

MOST_HEADER = 1 << 24

SETTLED_SECONDS = 2.0
"""A file changed less than this ago may change again without a later time stamp: clocks of file systems are coarse."""


class Cache:
    """The decoded form of some files whose content is known by its digests.

    It holds for as long as every file is the very one that was read: same inode, size, and times of its last change, to
    the nanosecond, of which the kernel's own (ctime) cannot be set back. Any difference means that the files are to be
    read and checked again; so does a cache whose content is not what its digest says. Nothing in it is executed. What
    cannot be written or read is left out silently.

    damaged: what :meth:`read` found to be so, in one line; "" if nothing.
    """

    def __init__(self, folder: Path, files: Iterable[Path], digests: Iterable[str]) -> None:
        self._files = tuple(files)
        key = hashlib.sha256("\n".join((str(FORMAT), *digests)).encode()).hexdigest()[:32]
        self.path = folder / f"{key}.safetensors"
        self.damaged = ""
        self._marks = self._signature()

    def read(self) -> DataSet | None:
        """The set, its images mapped from the file, or None where there is no cache that holds."""
        from workbench.data.splits import ArraySplit

        try:
            about = _about(self.path)
            if self._marks is None or about.get("files") != self._marks or not about.get("digest"):
                return None
            if about["digest"] != _digest(self.path):
                self.damaged = f"{self.path}: is damaged; the files are read again, and it is written anew"
                return None
            with safe_open(self.path, framework="pt") as opened:
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            train, test = (ArraySplit(tensors[f"{s}.images"], tensors[f"{s}.labels"]) for s in ("train", "test"))
            channels, height, width = tensors["test.images"].shape[1:]
            return DataSet(train, test, tuple(json.loads(about["classes"])), (channels, height, width))
        except (OSError, SafetensorError, RuntimeError, KeyError, ValueError, TypeError, AttributeError):
            # RuntimeError: another process removed the file just after it was found
            return None

    def write(self, data: DataSet) -> None:
        """Keep a set that was read from the files after this object was made; not if they may have changed meanwhile.

        Written aside, flushed and renamed: whoever reads sees a whole file or none, and of two writers the last one
        wins, with the same bytes.
        """
        from safetensors.torch import save_file

        if self._marks is None or self._signature() != self._marks or not self._settled():
            return
        tensors: dict[str, Tensor] = {}
        for name, split in (("train", data.train), ("test", data.test)):
            tensors |= {f"{name}.images": split.images(), f"{name}.labels": split.labels}
        partial = self.path.with_suffix(f".{uuid4().hex}.partial")
        with suppress(OSError, SafetensorError):
            self.path.parent.mkdir(exist_ok=True)
            with written_aside(self.path, flush=True, partial=partial):
                about = {"files": self._marks, "classes": json.dumps(data.classes), "digest": NONE_YET}
                save_file(tensors, partial, metadata=about)
                with partial.open("rb+") as file:
                    file.seek(_header(partial).index(NONE_YET.encode()))
                    file.write(_digest(partial).encode())
                partial.chmod(self._files[0].stat().st_mode & 0o666)  # whoever may read the files may read this

    def _signature(self) -> str | None:
        """What tells that the files are those of another time; None if one is not there."""
        try:
            found = [file.stat() for file in self._files]
        except OSError:
            return None
        return json.dumps([(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in found])

    def _settled(self) -> bool:
        newest = max(max(modified, changed) for *_, modified, changed in json.loads(self._marks or "[]"))
        return bool(time.time() - newest / 1e9 >= SETTLED_SECONDS)


def _header(path: Path) -> bytes:
    """A safetensors file up to its tensors: a length, and JSON. Raises OSError, ValueError."""
    descriptor = open_regular(path)
    try:
        length = int.from_bytes(os.pread(descriptor, 8, 0), "little")
        if not 0 < length <= MOST_HEADER:
            raise ValueError(f"{path}: is no safetensors file")
        return os.pread(descriptor, 8 + length, 0)
    finally:
        os.close(descriptor)


def _about(path: Path) -> dict[str, str]:
    """What the header says besides the tensors."""
    found = json.loads(_header(path)[8:])["__metadata__"]
    return found if isinstance(found, dict) else {}


def _digest(path: Path) -> str:
    """That of a whole file, its own place in the header blank. Raises OSError, ValueError."""
    header = _header(path)
    written = str(json.loads(header[8:])["__metadata__"]["digest"]).encode()
    descriptor = open_regular(path)
    try:
        tensors = digest(descriptor, len(header), os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    hasher = Hasher()
    hasher.update(header.replace(written, NONE_YET.encode(), 1) + tensors.encode())
    return hasher.hexdigest()
