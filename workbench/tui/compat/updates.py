"""What is sent to the terminal when something is painted: as little as can be, and pictures over what they lie on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.geometry import Region
from textual.screen import Screen


class CroppedUpdate(ChopsUpdate):
    """A partial update that begins where a change begins, and ends where it ends.

    Textual 8.2 sends a changed stretch of a line from the left edge of its widget on: for a point at the right end of a
    curve that is the whole line of the chart.
    """

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


class Overlaid(Protocol):
    """A widget with pictures over its cells."""

    @property
    def screen(self) -> Screen[Any]:
        """The screen that it is on."""
        ...

    def overlays(self) -> Iterable[tuple[Region, str]]:
        """Where on the screen each picture lies, and its sequence."""
        ...


class WithPictures(CompositorUpdate):
    """An update, and after it again the pictures over what it paints."""

    def __init__(self, update: CompositorUpdate, pictures: Sequence[tuple[Region, str]]) -> None:
        self._update = update
        self._pictures = pictures

    def __rich_console__(self, console: Console, options: Any) -> Any:
        yield self._update

    def render_segments(self, console: Console) -> str:
        """The terminal's sequences for both."""
        return self._update.render_segments(console) + laid(self._pictures)


def laid(pictures: Iterable[tuple[Region, str]]) -> str:
    """The sequences of pictures at their places."""
    return "".join(Control.move_to(region.x, region.y).segment.text + sequence for region, sequence in pictures)


def touched(update: CompositorUpdate, widgets: Iterable[Overlaid], screen: Screen[Any]) -> list[tuple[Region, str]]:
    """The pictures of a screen that an update paints over, but for those that a message lies on."""
    found = [p for widget in widgets if widget.screen is screen for p in widget.overlays()]
    if isinstance(update, ChopsUpdate):
        found = [p for p in found if any(_meet(p[0], *span) for span in update.spans)]
    if found:
        above = [widget.region for widget in screen.query("Toast, Tooltip") if widget.display]
        found = [p for p in found if not any(region.overlaps(p[0]) for region in above)]
    return found


def _meet(region: Region, y: int, start: int, end: int) -> bool:
    return region.y <= y < region.bottom and start < region.right and region.x < end
