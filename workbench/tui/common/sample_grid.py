"""Images with their classes: in real pixels where the terminal can show them, else in half-blocks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from workbench.preview.protocol import Samples
from workbench.tui.common.background import aside
from workbench.tui.common.words import cut
from workbench.tui.compat.composed import Composed
from workbench.tui.compat.pictures import BLOCKS, Pictures, forget, kitty, placeholder, sixel
from workbench.tui.compat.turns import TextualApp
from workbench.tui.compat.updates import Picture

SIDES = tuple(range(32, 10, -2))
"""Columns that images are shown with, from the most. A half-block is one pixel wide and two high."""
ENOUGH = 4
"""Images that are worth smaller ones."""
ENOUGH_SHARP, LEAST_SHARP = 9, 16
"""The same, and columns that they have at least, where an image of any size has all its pixels."""
MOST_PIXELS = 128
"""Pixels of a side that are sent at most."""


def room(width: int, height: int, enough: int = ENOUGH, least: int = SIDES[-1]) -> tuple[int, int]:
    """How many images fit and the columns of each: as large as ``enough`` of them can be, else as many as fit.

    least: columns below which images become no smaller to be more.
    """
    found = (0, 0)
    for side in SIDES:
        count = _columns(width, side) * (height // (side // 2 + 1))
        if count > found[0]:
            found = (count, side)
        if count >= enough or (found[0] and side <= least):
            break
    return found


def _columns(width: int, side: int) -> int:
    return (width + 1) // (side + 1)


class SampleGrid(Composed, Widget):
    """Shows images with their classes below; says how many it has room for."""

    COMPONENT_CLASSES = {"samples--caption"}

    class RoomChanged(Message):
        """There is room for another number of images, or for other sizes.

        side: pixels. enlarge: whether images that have fewer are to be given as many.
        """

        def __init__(self, count: int, side: int, enlarge: bool) -> None:
            super().__init__()
            self.count = count
            self.side = side
            self.enlarge = enlarge

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._samples: Samples | None = None
        self._pixels = b""
        self._note = ""
        self._box = 0
        self._pictures = BLOCKS
        self._numbers: list[int] = []
        self._sixels: list[str] = []
        self._sending: Callable[[list[str]], None] | None = None

    def on_mount(self) -> None:
        """Follow what the terminal says that it can show."""
        if isinstance(self.app, TextualApp):
            self._pictures = self._usable(self.app.pictures)
            self.app.pictures_signal.subscribe(self, self._pictures_known)
            self.app.screen_change_signal.subscribe(self, lambda screen: self._screen_changed())

    def on_unmount(self) -> None:
        self._forget()

    def show(self, samples: Samples | None, note: str = "") -> None:
        """Take images, or what to say where there are none; the same again draws nothing."""
        if samples == self._samples and note == self._note:
            return
        self._samples, self._note = samples, note
        self._pixels = base64.b64decode(samples.pixels) if samples else b""
        self._send()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._say_room()

    def on_hide(self) -> None:
        self.post_message(self.RoomChanged(0, 0, True))

    def on_show(self) -> None:
        self._say_room()

    def _say_room(self) -> None:
        """Tell what there is room for, and show what is there in boxes of that size."""
        sharp = bool(self._pictures.protocol)
        wanted = (ENOUGH_SHARP, LEAST_SHARP) if sharp else (ENOUGH,)
        count, columns = room(self.size.width, self.size.height, *wanted)
        if count and columns != self._box:
            self._box = columns
            self._send()
        side = min(MOST_PIXELS, columns * self._pictures.cell[0]) if sharp else columns
        self.post_message(self.RoomChanged(count, side, not sharp))

    # Real pixels

    def _usable(self, pictures: Pictures) -> Pictures:
        """A picture's number is the exact colour of its cells."""
        exact = self.app.console.color_system == "truecolor" and not self.app.no_color
        return pictures if pictures.protocol != "kitty" or exact else BLOCKS

    def _pictures_known(self, pictures: Pictures) -> None:
        self._pictures, box = self._usable(pictures), self._box
        if self.is_on_screen:
            self._say_room()
        if self._box == box:  # else they are on their way already
            self._send()
        self.refresh()

    def _screen_changed(self) -> None:
        if self._numbers:  # a dialog above dims this screen's colours, and other numbers are other pictures
            self.refresh()

    def _send(self) -> None:
        """Give the terminal the images that are shown now, each as large as its box."""
        self._forget()
        samples, app = self._samples, self.app
        if samples is None or not self._box or not isinstance(app, TextualApp):
            return
        side, size = samples.side, 3 * samples.side**2
        images = [self._pixels[n * size : (n + 1) * size] for n in range(len(samples.labels))]
        if self._pictures.protocol == "kitty":
            sent = [kitty(image, side, (self._box, self._box // 2)) for image in images]
            self._numbers = [number for number, _ in sent]
            app.command_terminal("".join(sequence for _, sequence in sent))
        elif self._pictures.protocol == "sixel":
            width, height = self._pictures.cell
            on_screen = self._box * width, self._box // 2 * height
            colours = self._pictures.colours

            def encoded(sequences: list[str]) -> None:
                if self._sending is encoded and self.is_attached:  # not where others were to be sent meanwhile
                    self._sixels = sequences
                    app.overlay(self)

            self._sending = encoded
            aside(app, "sixel", lambda: [sixel(image, side, on_screen, colours) for image in images], encoded)

    def _forget(self) -> None:
        if self._numbers and isinstance(self.app, TextualApp):
            self.app.command_terminal(forget(self._numbers))
        self._numbers, self._sixels, self._sending = [], [], None

    def overlays(self) -> Iterable[Picture]:
        """Where on the screen each image lies, and its Sixel sequence."""
        area = self.content_region
        if not (self._sixels and self.is_on_screen and self.screen.region.contains_region(area)):
            return
        columns = max(1, _columns(area.width, self._box))
        for number, sequence in enumerate(self._sixels):
            row, column = divmod(number, columns)
            x, y = area.x + column * (self._box + 1), area.y + row * (self._box // 2 + 1)
            found = Region(x, y, self._box, self._box // 2)
            if area.contains_region(found):
                yield found, sequence

    # Cells

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        base = self.rich_style
        width = self.size.width
        caption = base + self.get_component_rich_style("samples--caption", partial=True)
        samples = self._samples
        if samples is None:
            return Strip([Segment(cut(self._note, width) if y == 0 else "", caption)]).adjust_cell_length(width, base)
        box = self._box or samples.side
        height = box // 2 + 1
        columns = max(1, _columns(width, box))
        row, line = divmod(y, height)
        sharp = self._numbers if self.app.screen is self.screen else []
        segments: list[Segment] = []
        for number in range(row * columns, min((row + 1) * columns, len(samples.labels))):
            if line == box // 2:
                label = samples.labels[number]
                segments.append(Segment(cut(label, box).ljust(box), caption))
            elif sharp:
                style = base + _numbered(sharp[number])
                segments += [Segment(placeholder(column, line), style) for column in range(box)]
            else:
                segments += [_cell(pair) for pair in self._pairs(number, line, samples.side, box)]
            segments.append(Segment(" ", base))
        return Strip(segments).crop(0, width).adjust_cell_length(width, base)

    def _pairs(self, number: int, line: int, side: int, box: int) -> list[bytes]:
        """The pixels of a line's cells: upper red, green, blue, then lower."""
        image = number * side
        rows = [3 * side * (image + y * side // box) for y in (2 * line, 2 * line + 1)]
        steps = [3 * (x * side // box) for x in range(box)]
        upper, lower = (self._pixels[row : row + 3 * side] for row in rows)
        return [upper[i : i + 3] + lower[i : i + 3] for i in steps]


def _cell(pair: bytes) -> Segment:
    return Segment("▀", _style(pair))


@lru_cache(maxsize=20_000)
def _style(pair: bytes) -> Style:
    return Style(color=Color.from_rgb(*pair[:3]), bgcolor=Color.from_rgb(*pair[3:]))


def _numbered(number: int) -> Style:
    return Style(color=Color.from_rgb(*number.to_bytes(3, "big")))
