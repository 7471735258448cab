"""One look at every file's header: what is broken, of another size or of a kind that loses something, all at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench.cores import usable_cores
from workbench.data.images import TRAITS, BrokenImage, Header, odd_size, read_header

_CHUNK = 1024
DARK_SHARE = 1e-3
"""Where fewer pixels than this need the highest bits of 16-bit images, the others become dark, and that is said."""


@dataclass
class Glance:
    """What headers say. broken, odd: file → reason; sizes: (width, height) → how many and the first such file.

    traits: a key of TRAITS → how many and the first such file. deep: how many files are 16-bit grey; bits: how many of
    the 16 are in use over all of them; dark_bits: as many as nearly all of their pixels need.
    """

    broken: dict[Path, str] = field(default_factory=dict)
    odd: dict[Path, str] = field(default_factory=dict)
    sizes: dict[tuple[int, int], tuple[int, Path]] = field(default_factory=dict)
    traits: dict[str, tuple[int, Path]] = field(default_factory=dict)
    deep: int = 0
    bits: int = 16
    dark_bits: int = 16

    def sentences(self, folder: Path, chosen_bits: int | None) -> list[str]:
        """What is to be said of files that can be read, with counts and an example each."""
        said = [
            f"{count:,} {'image' if count == 1 else 'images'} {TRAITS[trait]}, such as {file.relative_to(folder)}"
            for trait, (count, file) in sorted(self.traits.items())
        ]
        if self.deep:
            bits = chosen_bits or self.bits
            why = "data.bits says so" if chosen_bits else "the largest value of the whole set has so many"
            text = f"{self.deep:,} images have 16-bit grey values, of which {bits} bits are in use ({why}): "
            text += f"0 to {2**bits - 1:,} become black to white in all of them"
            if self.dark_bits <= bits - 2:
                text += f"; nearly all pixels need only {self.dark_bits} bits: data.bits = {self.dark_bits} is brighter"
            said.append(text)
        return said

    def size_fault(self) -> str:
        """What to say where images have several sizes; "" where they have one."""
        if len(self.sizes) < 2:
            return ""
        ordered = sorted(self.sizes.items(), key=lambda item: -item[1][0])
        shown = ", ".join(f"{count:,} × {w}×{h} such as {file}" for (w, h), (count, file) in ordered[:2])
        smallest = min(min(size) for size in self.sizes)
        return (
            f"images differ in size ({len(self.sizes):,} sizes: {shown}); "
            f"set data.image_size to bring all to one square, such as image_size = {smallest}"
        )


def glance(files: Sequence[Path], image_size: int | None, report: Callable[[int], None]) -> Glance:
    """Look at all files, with threads; ``report`` hears how many are done now and then."""
    found = Glance()
    levels = np.zeros(17, dtype=np.int64)

    def look(file: Path) -> Header | BrokenImage:
        try:
            return read_header(file)
        except BrokenImage as error:
            return error

    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            for file, header in zip(chunk, pool.map(look, chunk), strict=True):
                if isinstance(header, BrokenImage):
                    found.broken[file] = str(header)
                    continue
                if image_size is not None and (why := odd_size(header, image_size)):
                    found.odd[file] = why
                _count(found.sizes, (header.width, header.height), file)
                for trait in header.traits:
                    _count(found.traits, trait, file)
                if header.levels is not None:
                    found.deep += 1
                    levels += header.levels
            report(min(start + _CHUNK, len(files)))
    if found.deep:
        needed = np.flatnonzero(levels)
        found.bits = max(8, int(needed[-1]))
        above = levels[::-1].cumsum()[::-1] / levels.sum()  # share of the pixels that need so many bits or more
        found.dark_bits = max(8, int(np.flatnonzero(above >= DARK_SHARE)[-1]))
    return found


def _count(counts: dict[Any, tuple[int, Path]], key: object, file: Path) -> None:
    number, first = counts.get(key, (0, file))
    counts[key] = (number + 1, first)


def by_reason(broken: dict[Path, str], folder: Path) -> str:
    """The reasons with how many files each has and one of them: the commonest first, four at most."""
    counts = Counter(broken.values()).most_common()
    first = {reason: file for file, reason in reversed(broken.items())}
    shown = [f"{_times(count)}{first[reason].relative_to(folder)} ({reason})" for reason, count in counts[:4]]
    return ", ".join([*shown, *(["…"] if len(counts) > 4 else [])])


def _times(count: int) -> str:
    return "" if count == 1 else f"{count:,} like "
