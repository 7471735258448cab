"""Lines of single cells, compared with what is on the screen: only the stretch that differs has to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from workbench.visible import visible

Cell = tuple[str, Style]
"""A character and its style; the second cell of a wide character is empty."""


NEAR = 12
"""Cells between two changes from which on it is shorter to move the cursor than to send them."""


def cells(parts: Iterable[tuple[str, Style]], width: int) -> list[Cell]:
    """Styled texts as exactly ``width`` cells, cut or filled with spaces."""
    found: list[Cell] = []
    for text, style in parts:
        for character in visible(text, keep=""):
            size = cell_len(character)
            if size == 0 or len(found) + size > width:
                continue
            found.append((character, style))
            found += [("", style)] * (size - 1)
    return found + [(" ", Style.null())] * (width - len(found))


def changed(before: Sequence[list[Cell]], after: Sequence[list[Cell]], top: int = 0) -> list[Region]:
    """The stretches of lines that differ; ``top`` is the first line's place."""
    regions = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        start = end = -NEAR
        for place, (a, b) in enumerate(zip(old, new, strict=True)):
            if a == b:
                continue
            if place - end >= NEAR:
                if start >= 0:
                    regions.append(Region(start, top + number, end - start + 1, 1))
                start = place
            end = place
        regions.append(Region(start, top + number, end - start + 1, 1))
    return regions


def strip(line: Sequence[Cell], base: Style) -> Strip:
    """A line as Textual draws it, on a background."""
    segments: list[Segment] = []
    run, style = "", Style.null()
    for character, its in line:
        if its != style and run:
            segments.append(Segment(run, base + style))
            run = ""
        style = its
        run += character
    if run:
        segments.append(Segment(run, base + style))
    return Strip(segments, len(line))
