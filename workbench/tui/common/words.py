"""Numbers and places as the screens write them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from workbench.filesystem import current_folder
from workbench.visible import visible


def duration(seconds: float) -> str:
    """``0:07``, ``12:30``, ``3:05:00``, ``4 d 02 h``; a dash for what is not known."""
    if not math.isfinite(seconds):
        return "–"
    minutes, s = divmod(max(0, round(seconds)), 60)
    hours, m = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24:02} h"
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


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


def percent(value: float) -> str:
    """A share of 1 as per cent, to one place; a dash for what is not finite."""
    return f"{value:.1%}" if math.isfinite(value) else "–"


def rate(value: float) -> str:
    """Images per second."""
    return f"{value:,.0f} img/s" if math.isfinite(value) else "– img/s"


def significant(value: float) -> str:
    """Three significant digits without trailing zeros: 0.1, 0.0832, 2.5e-05."""
    return f"{value:.3g}" if math.isfinite(value) else "–"


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


def age(seconds: float) -> str:
    """How long ago, in at most six cells: ``12 s``, ``5 min``, ``3 h``, ``9 d``."""
    for unit, length, least in (("d", 86400, 172_800), ("h", 3600, 6000), ("min", 60, 60)):
        if seconds >= least:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def size(count: int) -> str:
    """Bytes in the unit that suits them: ``512 B``, ``12.3 MB``."""
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:,.0f} {units[0]}" if units[0] == "B" else f"{value:,.1f} {units[0]}"


def cut(text: str, width: int, *, start: bool = False) -> str:
    """A text on one line in at most ``width`` cells, its end cut off, or its start, where it is longer."""
    text = visible(text, keep="")
    if len(text) <= width:
        return text
    kept = max(0, width - 1)
    return "…" + text[len(text) - kept :] if start else text[:kept] + "…"


def shown(value: Any) -> str:
    """A value in words of TOML, texts without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(f'"{v}"' if isinstance(v, str) else shown(v) for v in value) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
