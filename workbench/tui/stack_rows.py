"""The visible lines of a stack tree of which some branches are folded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.profiling.stack_tree import Frame

Path = tuple[tuple[str, str, int], ...]
"""The functions from the root to a frame: what is folded stays folded when the same stacks are measured again."""

OPEN_FROM = 0.05
"""Frames with at least this share of the window are unfolded to begin with."""
LEADS_ON = 0.98


@dataclass(frozen=True)
class StackRow:
    """One line. open: its branch is unfolded; None where there is nothing below it."""

    frame: Frame
    path: Path
    depth: int
    open: bool | None


class Folding:
    """Which branches are folded against what :data:`OPEN_FROM` says."""

    def __init__(self) -> None:
        self._turned: set[Path] = set()

    def is_open(self, frame: Frame, path: Path) -> bool:
        """Whether what a frame called is shown."""
        return (frame.share >= OPEN_FROM) != (path in self._turned)

    def turn(self, path: Path) -> None:
        """Fold or unfold."""
        self._turned ^= {path}

    def rows(self, root: Frame) -> list[StackRow]:
        """The lines from the root down; a root that does little but call one function is left out."""
        while root.children and root.children[0].share >= LEADS_ON * root.share:
            root = root.children[0]
        return list(self._below(root, (), 0))

    def _below(self, frame: Frame, above: Path, depth: int) -> Iterator[StackRow]:
        path = (*above, (frame.name, frame.file, frame.line))
        shown = self.is_open(frame, path)
        yield StackRow(frame, path, depth, shown if frame.children else None)
        if shown:
            for child in frame.children:
                yield from self._below(child, path, depth + 1)
