"""Images in half-blocks: each cell shows two pixels, one above the other."""

from __future__ import annotations

import base64
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from workbench.preview.protocol import Samples
from workbench.tui.common.words import cut
from workbench.tui.compat.composed import Composed

SIDES = tuple(range(32, 10, -2))
"""Pixels of a side that images are shown with, from the largest."""
ENOUGH = 4
"""Images that are worth smaller ones."""


def room(width: int, height: int) -> tuple[int, int]:
    """How many images fit and the pixels of their sides: as large as ENOUGH of them can be, else as many as fit."""
    found = (0, 0)
    for side in SIDES:
        found = (_columns(width, side) * (height // (side // 2 + 1)), side)
        if found[0] >= ENOUGH:
            break
    return found if found[0] else (0, 0)


def _columns(width: int, side: int) -> int:
    return (width + 1) // (side + 1)


class SampleGrid(Composed, Widget):
    """Shows images with their classes below; says how many it has room for."""

    COMPONENT_CLASSES = {"samples--caption"}

    class RoomChanged(Message):
        """There is room for another number of images, or for larger or smaller ones."""

        def __init__(self, count: int, side: int) -> None:
            super().__init__()
            self.count = count
            self.side = side

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._samples: Samples | None = None
        self._pixels = b""
        self._note = ""

    def show(self, samples: Samples | None, note: str = "") -> None:
        """Take images, or what to say where there are none; the same again draws nothing."""
        if samples == self._samples and note == self._note:
            return
        self._samples, self._note = samples, note
        self._pixels = base64.b64decode(samples.pixels) if samples else b""
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.RoomChanged(*room(self.size.width, self.size.height)))

    def on_hide(self) -> None:
        self.post_message(self.RoomChanged(0, 0))

    def on_show(self) -> None:
        self.post_message(self.RoomChanged(*room(self.size.width, self.size.height)))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        base = self.rich_style
        width = self.size.width
        caption = base + self.get_component_rich_style("samples--caption", partial=True)
        samples = self._samples
        if samples is None:
            return Strip([Segment(cut(self._note, width) if y == 0 else "", caption)]).adjust_cell_length(width, base)
        side = samples.side
        height = side // 2 + 1
        columns = max(1, _columns(width, side))
        row, line = divmod(y, height)
        segments: list[Segment] = []
        for number in range(row * columns, min((row + 1) * columns, len(samples.labels))):
            if line < side // 2:
                segments += [_cell(pair) for pair in self._pairs(number, line, side)]
            else:
                label = samples.labels[number]
                segments.append(Segment(cut(label, side).ljust(side), caption))
            segments.append(Segment(" ", base))
        return Strip(segments).crop(0, width).adjust_cell_length(width, base)

    def _pairs(self, number: int, line: int, side: int) -> list[bytes]:
        """The pixels of a line's cells: upper red, green, blue, then lower."""
        start = (number * side + 2 * line) * side * 3
        upper, lower = self._pixels[start : start + 3 * side], self._pixels[start + 3 * side : start + 6 * side]
        return [upper[i : i + 3] + lower[i : i + 3] for i in range(0, 3 * side, 3)]


def _cell(pair: bytes) -> Segment:
    return Segment("▀", _style(pair))


@lru_cache(maxsize=20_000)
def _style(pair: bytes) -> Style:

    return Style(color=Color.from_rgb(*pair[:3]), bgcolor=Color.from_rgb(*pair[3:]))
