"""Python stacks as a tree of plain values: what ``profile/stacks.json`` holds. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from workbench.storage.digest import seal, unseal
from workbench.storage.regular import MIDDLING, read_bytes
from workbench.storage.values import Amount, Count

SMALLEST = 0.001
"""Share of the window below which a frame is left out of the file."""
DEEPEST = 90
"""Frames on one another in the file: readers of JSON refuse more than about 200 levels, and a frame takes two."""
PLUMBING = 0.9
"""A library's private function is passed over for what it calls, if that is at least this share of its time."""


@dataclass(frozen=True)
class Frame:
    """A function with all its time on the stack, calls included.

    line: where the function begins. share: of the whole window. user: the user's own code or the workbench's, neither
    the standard library nor an installed package.
    """

    name: str
    file: str
    line: Count
    seconds: Amount
    share: Amount
    user: bool
    children: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class StackWindow:
    """Stacks of the training thread over ``steps`` steps that ended with ``step``, one sample each ``interval`` s."""

    step: Count
    steps: Count
    seconds: Amount
    interval: Amount
    samples: Count
    tree: Frame


_ADAPTER = TypeAdapter(StackWindow)


def write_stacks(path: Path, window: StackWindow) -> None:
    """Write what :func:`read_stacks` reads. Deeper than ``DEEPEST`` frames, all counts as its caller's own time."""
    values = {**vars(window), "tree": _plain(window.tree, DEEPEST)}
    path.write_text(seal(json.dumps(values, separators=(",", ":"))) + "\n", encoding="utf-8")


def read_stacks(path: Path) -> StackWindow | None:
    """The stacks in a file; None where there is none, or something else."""
    try:
        return _ADAPTER.validate_json(unseal(read_bytes(path, MIDDLING)), strict=True)
    except (OSError, ValueError):
        return None


def _plain(frame: Frame, levels: int) -> dict[str, Any]:
    kept = [_plain(child, levels - 1) for child in frame.children if levels > 1 and child.share >= SMALLEST]
    return {**vars(frame), "seconds": round(frame.seconds, 5), "share": round(frame.share, 5), "children": kept}


def own_code(frame: Frame) -> Frame:
    """The tree without the insides of libraries: of each call into one only its name and its time remain.

    What a library calls back hangs below the function that called the library: the user's code, and the ``forward`` of
    modules, for they are the user's network.
    """
    found: list[Frame] = []
    for child in frame.children:
        found += [own_code(child)] if _stays(child) else _through(child)
    return replace(frame, children=merged(found))


def _stays(frame: Frame) -> bool:
    return frame.user or frame.name.endswith(".forward")


def _through(library: Frame) -> Iterator[Frame]:
    own = list(_callbacks(library))
    if own:
        yield from (own_code(frame) for frame in own)
    else:
        yield replace(_named(library), seconds=library.seconds, share=library.share, children=())


def _callbacks(library: Frame) -> Iterator[Frame]:
    for child in library.children:
        if _stays(child):
            yield child
        else:
            yield from _callbacks(child)


def _named(library: Frame) -> Frame:
    """The first function below with a public name, if nearly all of the time leads there."""
    while library.children and library.name.rpartition(".")[2].startswith("_"):
        largest = max(library.children, key=lambda child: child.seconds)
        if largest.seconds < PLUMBING * library.seconds:
            break
        library = largest
    return library


def merged(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """Frames of the same function added up, children too; the longest first."""
    groups: dict[tuple[str, str, int], list[Frame]] = {}
    for frame in frames:
        groups.setdefault((frame.name, frame.file, frame.line), []).append(frame)
    found = [
        replace(
            same[0],
            seconds=sum(frame.seconds for frame in same),
            share=sum(frame.share for frame in same),
            children=merged(child for frame in same for child in frame.children) if len(same) > 1 else same[0].children,
        )
        for same in groups.values()
    ]
    return tuple(sorted(found, key=lambda frame: -frame.seconds))
