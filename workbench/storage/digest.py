"""Digests of what is written to be read again: a flipped bit or a missing end is seen before anything is used.

BLAKE2b, because it is about as fast as a disk on every 64-bit processor, where SHA-256 is only with instructions that
many lack. Content is taken in blocks of 4 MiB, the digest is that of the blocks' digests: a large file is read by
several threads at once, and nothing is ever in memory as a whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

from workbench.storage.regular import open_regular

BLOCK = 1 << 22
THREADS = 4
HEX = 64

_MARK = b"\nworkbench blake2b "
TRAILER = len(_MARK) + HEX + 1
"""Bytes that a sealed file has after its content."""

_MEMBER = re.compile(rb',"digest":"([0-9a-f]{64})"\}\s*\Z')

Verdict = Literal["whole", "damaged", "unsealed"]
"""What a digest says: that of the content, that of something else, or there is none."""


class Damaged(ValueError):
    """Content that is not what its digest says."""


def _leaf(data: bytes | bytearray | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=HEX // 2).digest()


class Hasher:
    """The digest of bytes that come one after the other."""

    def __init__(self) -> None:
        self._leaves = hashlib.blake2b(digest_size=HEX // 2)
        self._block = hashlib.blake2b(digest_size=HEX // 2)
        self._room = BLOCK

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes."""
        rest = memoryview(data).cast("B")
        while len(rest):
            part, rest = rest[: self._room], rest[self._room :]
            self._block.update(part)
            self._room -= len(part)
            if not self._room:
                self._end_block()

    def hexdigest(self) -> str:
        """The digest of all bytes; nothing may follow."""
        if self._room < BLOCK:
            self._end_block()
        return self._leaves.hexdigest()

    def _end_block(self) -> None:
        self._leaves.update(self._block.digest())
        self._block, self._room = hashlib.blake2b(digest_size=HEX // 2), BLOCK


def digest(descriptor: int, start: int, end: int) -> str:
    """The digest of a part of a file, from byte ``start`` to before byte ``end``. Raises OSError."""

    def one(at: int) -> bytes:
        return _leaf(os.pread(descriptor, min(BLOCK, end - at), at))

    places = range(start, end, BLOCK)
    leaves = hashlib.blake2b(digest_size=HEX // 2)
    if len(places) <= 1:
        for place in places:
            leaves.update(one(place))
        return leaves.hexdigest()
    with ThreadPoolExecutor(min(THREADS, len(places), os.cpu_count() or 1)) as pool:
        for leaf in pool.map(one, places):
            leaves.update(leaf)
    return leaves.hexdigest()


class SealedWriter:
    """A file for writing that ends in its own digest. ``error``: what the system said when it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hasher = Hasher()
        self.error: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of it."""
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error  # who calls this may only tell that something went wrong
            raise
        self._hasher.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def seal(self) -> None:
        """Append the digest, as the last."""
        self._file.write(_MARK + self._hasher.hexdigest().encode() + b"\n")


def verdict(descriptor: int) -> Verdict:
    """Whether a file that :class:`SealedWriter` may have written is what was written. Raises OSError."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, TRAILER, max(0, size - TRAILER))
    if len(tail) < TRAILER or not tail.startswith(_MARK):
        return "unsealed"
    found = digest(descriptor, 0, size - TRAILER)
    return "whole" if tail[len(_MARK) : -1] == found.encode() else "damaged"


def file_verdict(path: Path) -> Verdict:
    """:func:`verdict` of a path. Raises OSError, also for what is no regular file."""
    descriptor = open_regular(path)
    try:
        return verdict(descriptor)
    finally:
        os.close(descriptor)


def seal(text: str) -> str:
    """A JSON object's text with one more member, the digest of the rest, in last place."""
    body = text.rstrip()
    if not body.endswith("}") or body.endswith("{}"):
        raise ValueError("only a JSON object with members can be sealed")
    return f'{body[:-1]},"digest":"{_leaf(body.encode()).hex()}"}}'


def unseal(data: bytes) -> bytes:
    """The JSON object without its digest, as it was before :func:`seal`. Raises Damaged if it is another one.

    What an earlier version wrote has no digest, and is given back as it is.
    """
    found = _MEMBER.search(data, max(0, len(data) - HEX - 100))
    if found is None:
        return data
    body = data[: found.start()] + b"}"
    if _leaf(body).hex().encode() != found[1]:
        raise Damaged("its content is not what its digest says")
    return body
