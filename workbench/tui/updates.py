"""Partial updates of the terminal that begin where a change begins.

Textual 8.2 sends a changed stretch of a line from the left edge of its widget on: for a point at the right end of a
curve that is the whole line of the chart.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class CroppedUpdate(ChopsUpdate):
    """The same update, cropped at both ends."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> CroppedUpdate:
        """The cropped form of an update."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """The terminal's sequences for the changed stretches."""
        sequences: list[str] = []
        for y, start, end in self.spans:
            for edge, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                first, last = max(x, start), min(edge, end)
                if strip is None or first >= last:
                    continue
                part = strip if (first, last) == (x, edge) else strip.crop(first - x, last - x)
                sequences += [Control.move_to(first, y).segment.text, part.render(console)]
        return "".join(sequences)
