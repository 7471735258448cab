"""What is sent to the terminal when something is painted: the cells that changed, and the pictures over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.geometry import Region
from textual.screen import Screen

Picture = tuple[Region, str]
"""Where on the screen a picture lies, and its sequence."""


class Shown:
    """What stands on the terminal, in the pieces in which it was sent: what is painted again is not sent again.

    Textual paints a pane with all that it holds for each text in its border, a text twice where its height changes, and
    scroll bars with every layout.
    """

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, tuple[int, str]]] = {}

    def forget(self) -> None:
        """Something else is, or may be, on the terminal."""
        self._lines.clear()

    def is_new(self, y: int, first: int, last: int, text: str) -> bool:
        """Whether a text, from one column to before another, is not what stands there; then it is from now on."""
        line = self._lines.setdefault(y, {})
        if line.get(first) == (last, text):
            return False
        for start in [start for start, (end, _) in line.items() if start < last and first < end]:
            del line[start]
        line[first] = (last, text)
        return True


class CroppedUpdate(ChopsUpdate):
    """A partial update that begins where a change begins, ends where it ends, and leaves out what is shown already.

    Textual 8.2 sends a changed stretch of a line from the left edge of its widget on: for a point at the right end of a
    curve that is the whole line of the chart.
    """

    shown: Shown

    @classmethod
    def of(cls, update: ChopsUpdate, shown: Shown) -> CroppedUpdate:
        """The cropped form of an update."""
        found = cls(update.chops, update.spans, update.chop_ends)
        found.shown = shown
        return found

    def render_segments(self, console: Console) -> str:
        """The terminal's sequences for the changed stretches; these are its ``spans`` from now on."""
        sequences: list[str] = []
        sent: list[tuple[int, int, int]] = []
        for y, start, end in self.spans:
            for edge, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                first, last = max(x, start), min(edge, end)
                if strip is None or first >= last:
                    continue
                part = strip if (first, last) == (x, edge) else strip.crop(first - x, last - x)
                if self.shown.is_new(y, first, last, text := part.render(console)):
                    sequences += [Control.move_to(first, y).segment.text, text]
                    sent.append((y, first, last))
        self.spans = sent
        return "".join(sequences)


class Overlaid(Protocol):
    """A widget with pictures over its cells."""

    @property
    def is_attached(self) -> bool:
        """Whether it is on a screen."""
        ...

    @property
    def screen(self) -> Screen[Any]:
        """The screen that it is on."""
        ...

    def overlays(self) -> Iterable[Picture]:
        """The pictures that can be seen now."""
        ...


class WithPictures(CompositorUpdate):
    """An update, and after it again the pictures over what it paints, but for those that a message lies on."""

    def __init__(self, update: CompositorUpdate, pictures: Sequence[Picture], screen: Screen[Any]) -> None:
        self._update = update
        self._pictures = pictures
        self._screen = screen

    def __rich_console__(self, console: Console, options: Any) -> Any:
        yield self._update

    def render_segments(self, console: Console) -> str:
        """The terminal's sequences for both."""
        painted = self._update.render_segments(console)
        found = self._pictures
        if isinstance(self._update, ChopsUpdate):
            found = [picture for picture in found if any(_meet(picture[0], *span) for span in self._update.spans)]
        if found:
            above = [widget.region for widget in self._screen.query("Toast, Tooltip") if widget.display]
            found = [picture for picture in found if not any(region.overlaps(picture[0]) for region in above)]
        return painted + laid(found)


def laid(pictures: Iterable[Picture]) -> str:
    """The sequences of pictures at their places."""
    return "".join(Control.move_to(region.x, region.y).segment.text + sequence for region, sequence in pictures)


def _meet(region: Region, y: int, start: int, end: int) -> bool:
    return region.y <= y < region.bottom and start < region.right and region.x < end
