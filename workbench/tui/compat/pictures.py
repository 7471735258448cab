"""Pictures in real pixels: asking a terminal what it can show, and the sequences of Kitty and of Sixel for it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import count
from random import randrange
from typing import TYPE_CHECKING, Literal

from textual.message import Message

from workbench.graphics import ATTRIBUTES, GRAPHICS, WHO, Protocol, has_placeholders, protocol

if TYPE_CHECKING:
    from PIL.Image import Image

Wanted = Literal["auto", "blocks", "kitty", "sixel"]


@dataclass(frozen=True)
class Pictures:
    """What the terminal can show. protocol: "" for nothing but cells. colours: of one Sixel picture.

    cell: width and height of a cell in pixels.
    """

    protocol: Protocol = ""
    colours: int = 256
    cell: tuple[int, int] = (10, 20)


BLOCKS = Pictures()


class PicturesKnown(Message):
    """The terminal has said what it can show."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.pictures = pictures


CELL, COLOURS = "\x1b[16t", "\x1b[?1;1;0S"
"""The size of a cell in pixels (XTWINOPS), and the number of Sixel's colours (XTSMGRAPHICS)."""
ANSWER = re.compile(
    r"\x1b\[\?(?P<attributes>[\d;]+)c"
    r"|\x1b\[6;(?P<height>\d+);(?P<width>\d+)t"
    r"|\x1b\[\?1;(?P<status>\d+)(?:;(?P<colours>\d+))?S"
    r"|\x1bP>\|(?P<name>[^\x1b]*)\x1b\\"
    r"|\x1b_G(?P<graphics>[^\x1b]*)\x1b\\"
)
BEGUN = re.compile(r"\x1b(?:\[(?:\?[\d;]*|6[\d;]*)?|P(?:>(?:\|[^\x1b]*\x1b?)?)?|_(?:G[^\x1b]*\x1b?)?)?\Z")
"""What may be the first part of an answer."""
SHORT, LONG = 0.05, 1.0
"""Seconds that the first part of an answer is kept: where it may be a key (Escape, Alt with a letter), and else."""
PATIENCE = 10.0
"""Seconds after which keys are no longer kept for answers; whole ones are still taken out."""


class Asking:
    """Asks a terminal what it can show, and takes the answers out of what was typed.

    Nothing waits for an answer: what comes, and when, is known by :meth:`found`. sixel: whether there is an encoder.
    """

    def __init__(self, wanted: Wanted, sixel: bool = True) -> None:
        self.wanted = wanted
        self._sixel = sixel
        self._fence = ""
        self._kept, self._kept_at, self._asked_at = "", 0.0, 0.0
        self._name, self._protocol = "", BLOCKS.protocol
        self._colours, self._cell = BLOCKS.colours, BLOCKS.cell
        self._found: Pictures | None = None

    def questions(self, cell: tuple[int, int] | None, now: float) -> str:
        """What to ask a terminal that was just entered.

        cell: its width and height in pixels, where the system knows them. now: seconds, of any clock.
        """
        if self.wanted == "blocks":
            return ""
        self._fence, self._name, self._protocol, self._asked_at = "who", "", "", now
        self._colours, self._cell = BLOCKS.colours, cell or BLOCKS.cell
        return WHO + ("" if cell else CELL) + ATTRIBUTES

    def resized(self, cell: tuple[int, int] | None) -> str:
        """What to ask where the terminal, and perhaps its font, has another size than before."""
        if not self._protocol or self._fence:
            return ""
        if cell is None:
            return CELL
        self._take_cell(cell)
        return ""

    def take(self, text: str, now: float) -> tuple[str, str]:
        """What of a text was typed, and what to ask next."""
        if self.wanted == "blocks":
            return text, ""
        text, self._kept = self._kept + text, ""
        asked: list[str] = []

        def answered(match: re.Match[str]) -> str:
            asked.append(self._answered(match))
            return ""

        text = ANSWER.sub(answered, text)
        if self._fence and (begun := BEGUN.search(text)) and now - self._asked_at < PATIENCE:
            text, self._kept, self._kept_at = text[: begun.start()], begun.group(), now
        return text, "".join(asked)

    def tick(self, now: float) -> str:
        """What was kept for an answer that does not come."""
        if not self._kept or now - self._kept_at < (SHORT if len(self._kept) <= 2 else LONG):
            return ""
        kept, self._kept = self._kept, ""
        return kept

    def found(self) -> Pictures | None:
        """What the terminal can show, once each time that it is known."""
        found, self._found = self._found, None
        return found

    def _answered(self, match: re.Match[str]) -> str:
        if (name := match["name"]) is not None:
            self._name = name
        elif match["width"] is not None:
            self._take_cell((max(1, int(match["width"])), max(1, int(match["height"]))))
        elif match["colours"] is not None and match["status"] == "0":
            self._colours = max(2, min(256, int(match["colours"])))
        elif (graphics := match["graphics"]) is not None:
            if graphics.endswith(";OK"):
                self._protocol = "kitty"
        elif match["attributes"] is not None and self._fence:
            fence, self._fence = self._fence, ""
            return self._next(fence, {int(a) for a in match["attributes"].split(";") if a})
        return ""

    def _take_cell(self, cell: tuple[int, int]) -> None:
        changed, self._cell = cell != self._cell, cell
        if changed and not self._fence:
            self._say()

    def _next(self, fence: str, attributes: Collection[int]) -> str:
        """What to ask after everything that stood before a fence was answered or passed over."""
        if fence == "who":
            there = protocol(attributes, self._name, has_placeholders(self._name), self._sixel)
            if self.wanted != "auto":
                there = "kitty" if self.wanted == "kitty" else "sixel" if self._sixel else ""
            if there == "sixel":
                self._protocol = "sixel"
                self._fence = "colours"
                return COLOURS + ATTRIBUTES
            if there == "kitty" and self.wanted == "auto":
                self._fence = "graphics"
                return GRAPHICS + ATTRIBUTES
            self._protocol = there
        self._say()
        return ""

    def _say(self) -> None:
        self._found = Pictures(self._protocol, self._colours, self._cell) if self._protocol else BLOCKS


# Sixel: laid over cells that have been painted; a cell that is painted again loses its part.

HEADER = re.compile(r'\x1bP[\d;]*q"[\d;]+')
DEFINITION = re.compile(r"(#\d+);2;\d+;\d+;\d+")


def sixel(pixels: bytes, side: int, size: tuple[int, int], colours: int) -> str:
    """A picture of ``side`` × ``side`` RGB pixels, ``size`` pixels wide and high on the screen. Takes milliseconds."""
    # The package's own modules ask the terminal themselves when they are imported, past Textual and its input.
    from textual_image._sixel import SixelOptions, image_to_sixels

    image = _image(pixels, side).resize(size, 0 if size[0] >= side else None)
    sequence: str = image_to_sixels(image, SixelOptions(colours))
    # All colours first: xterm draws what comes before a definition in the colour that its number had.
    start = HEADER.match(sequence)
    assert start is not None, "a Sixel sequence begins with its size"
    defined = "".join(match.group() for match in DEFINITION.finditer(sequence))
    return start.group() + defined + DEFINITION.sub(r"\1", sequence[start.end() :])


# Kitty: sent once and then shown by cells, whose colour is the picture's number.

_NUMBERS = count(randrange(1, 1 << 20) << 4)
CHUNK = 4096
"""Characters of a picture in one sequence at most."""
PLACEHOLDER = "\U0010eeee"
DIACRITICS = "".join(map(chr, (
    0x305, 0x30D, 0x30E, 0x310, 0x312, 0x33D, 0x33E, 0x33F, 0x346, 0x34A, 0x34B, 0x34C, 0x350, 0x351, 0x352, 0x357,
    0x35B, 0x363, 0x364, 0x365, 0x366, 0x367, 0x368, 0x369, 0x36A, 0x36B, 0x36C, 0x36D, 0x36E, 0x36F, 0x483, 0x484,
)))  # fmt: skip
"""For the numbers of rows and columns, from 0 (Kitty's ``rowcolumn-diacritics``): as many as pictures have columns."""


def kitty(pixels: bytes, side: int, cells: tuple[int, int]) -> tuple[int, str]:
    """A number for a picture of ``side`` × ``side`` RGB pixels, columns × rows of cells in size, and what to send."""
    number = next(_NUMBERS) % (1 << 24) or next(_NUMBERS)
    file = io.BytesIO()
    _image(pixels, side).save(file, "png", compress_level=2)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    parts = [encoded[start : start + CHUNK] for start in range(0, len(encoded), CHUNK)]
    sent = [f"\x1b_Gm={int(n + 1 < len(parts))},q=2;{part}\x1b\\" for n, part in enumerate(parts)]
    columns, rows = cells
    sent[0] = sent[0].replace("\x1b_G", f"\x1b_Ga=T,U=1,i={number},f=100,c={columns},r={rows},")
    return number, "".join(sent)


def forget(numbers: Iterable[int]) -> str:
    """Let the terminal free the pictures of these numbers."""
    return "".join(f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\" for number in numbers)


def placeholder(column: int, row: int) -> str:
    """The text of the cell that shows one part of a picture."""
    return PLACEHOLDER + DIACRITICS[row] + DIACRITICS[column]


def _image(pixels: bytes, side: int) -> Image:
    from PIL import Image as images

    return images.frombytes("RGB", (side, side), pixels)
