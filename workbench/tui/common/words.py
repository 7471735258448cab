"""Numbers and places as the screens write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from workbench.filesystem import current_folder
from workbench.visible import visible


def rough(seconds: float) -> str:
    """A length of time in two digits or so: ``0.8 s``, ``12 s``, ``4 min``, ``2.5 h``, ``3 d``."""
    if not math.isfinite(seconds):
        return "–"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 9.95 and unit != "min" else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def number(value: float, digits: int = 3) -> str:
    """A number to some places after the point; a dash for what is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def throughput(value: float) -> str:
    """Images per second."""
    return f"{value:,.0f} img/s" if math.isfinite(value) else "– img/s"


def significant(value: float) -> str:
    """Three significant digits without trailing zeros: 0.1, 0.0832, 2.5e-05."""
    return f"{value:.3g}" if math.isfinite(value) else "–"


def first_lines(lines: Sequence[str], most: int) -> str:
    """So many lines, and how many there are more."""
    more = [f"… and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])


def large(value: float) -> str:
    """A count in three digits: ``640``, ``12.3 k``, ``40.8 M``, ``1.02 G``."""
    for power, letter in ((9, "G"), (6, "M"), (3, "k")):
        if value >= 0.9995 * 10**power:
            scaled = value / 10**power
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f} {letter}"
    return f"{value:.0f}"


def change(value: int) -> str:
    """A signed count, ``±0`` for none."""
    return f"{value:+,}" if value else "±0"


def place(path: Path, room: int) -> str:
    """A path in at most ``room`` cells: from here or from home if that is shorter, else its end."""
    text = str(path)
    here, home = current_folder(), Path.home()
    if path.is_absolute():
        if path.is_relative_to(here) and path != here:
            text = f"./{path.relative_to(here)}"
        elif path.is_relative_to(home):
            text = f"~/{path.relative_to(home)}"
    else:
        text = f"./{path}"
    return cut(text, room, start=True)


def cut(text: str, width: int, *, start: bool = False) -> str:
    """A text on one line in at most ``width`` cells, its end cut off, or its start, where it is longer."""
    text = visible(text, keep="")
    if len(text) <= width:
        return text
    kept = max(0, width - 1)
    return "…" + text[len(text) - kept :] if start else text[:kept] + "…"


def cut_apart(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Each text in at most its width, cut so that texts that differ look different: at the end, else in the middle.

    Where that does not tell them apart either, their start is cut off.
    """
    full = [visible(text, keep="") for text in texts]
    found = [cut(text, width) for text, width in zip(full, widths, strict=True)]
    for shorter in (_middle, _start):
        alike = [
            place for place, text in enumerate(found) if len({full[n] for n, t in enumerate(found) if t == text}) > 1
        ]
        for place in alike:
            found[place] = shorter(full[place], widths[place])
    return found


def _middle(text: str, width: int) -> str:
    head = max(0, (width - 1) // 2)
    return text[:head] + cut(text[head:], width - head, start=True)


def _start(text: str, width: int) -> str:
    return cut(text, width, start=True)


def shared_out(lengths: Sequence[int], room: int) -> list[int]:
    """``room`` cells for texts of these lengths: none gets more than it needs, what is left goes to the longer ones."""
    found = [0] * len(lengths)
    for done, place in enumerate(sorted(range(len(lengths)), key=lambda place: lengths[place])):
        found[place] = max(0, min(lengths[place], room // (len(lengths) - done)))
        room -= found[place]
    return found
