"""The colours that charts are drawn in."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int] | int
"""Red, green and blue from 0 to 255, or the number of one of the terminal's own sixteen colours."""


@dataclass(frozen=True)
class Palette:
    """Colours of a chart: its frame, the raw and the smoothed curve, and the two kinds of marks.

    ascii: draw with ASCII signs alone, for terminals and fonts without braille.
    """

    frame: Colour = (110, 118, 129)
    raw: Colour = (61, 85, 115)
    smooth: Colour = (108, 182, 255)
    test: Colour = (227, 179, 65)
    validation: Colour = (176, 131, 240)
    text: Colour = (211, 218, 227)
    ascii: bool = False
