"""Numbers, shares, durations, sizes and values in words: the one way in which screens, commands and logs write them."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from typing import Any

from workbench.visible import in_quotes

UNKNOWN = "–"
GIB = 2**30


def percent(share: float | None, digits: int = 2) -> str:
    """``98.76 %``, or a dash for what is unknown or not a number."""
    return UNKNOWN if share is None or math.isnan(share) else f"{100 * share:.{digits}f} %"


def figure(value: float | None) -> str:
    """A loss: ``0.1234``, ``2.75e+20``, or a dash for what is unknown or not a number."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3g}"


def short(number: float) -> str:
    """``3`` or ``2.5``."""
    return f"{round(number, 2):g}" if number < 1e5 else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """``0:42``, ``1:02:03`` or, from two days on, ``2 d 07 h``; a dash for what is not known."""
    if not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24:02} h"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(seconds: float) -> str:
    """How long ago, in at most six cells: ``12 s``, ``5 min``, ``3 h``, ``9 d``."""
    for unit, length, least in (("d", 86400, 172_800), ("h", 3600, 6000), ("min", 60, 60)):
        if seconds >= least:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def milliseconds(seconds: float) -> str:
    """``0.41 ms``, ``12.3 ms``, ``212 ms``, ``3.20 s``."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    value = 1000 * seconds
    return f"{value:.0f} ms" if value >= 99.95 else f"{value:.1f} ms" if value >= 0.995 else f"{value:.2f} ms"


def file_size(count: int) -> str:
    """Bytes on a disk: ``312 bytes``, ``45.1 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} bytes"


def gib(count: float, digits: int = 1) -> str:
    """Bytes of memory: ``11.2 GiB``."""
    return f"{count / GIB:.{digits}f} GiB"


def gib_of(part: float, whole: float, digits: int = 1) -> str:
    """A part of some memory: ``11.2 of 79.6 GiB``."""
    return f"{part / GIB:.{digits}f} of {gib(whole, digits)}"


def toml(value: Any) -> str:
    """A value as a recipe or the settings hold it: ``0.1``, ``4``, ``true``, ``"adam"``, ``[64, 128]``.

    A whole number is written without its ``.0``: it reads as the same value, whatever the parameter's type.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            whole = math.isfinite(value) and value.is_integer() and abs(value) < 1e15
            return str(int(value)) if whole else str(value)
        case str():
            return in_quotes(json.dumps(value, ensure_ascii=False))
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{key} = {toml(entry)}' for key, entry in value.items())}}}"
        case datetime.date() | datetime.time():
            return value.isoformat()
    return str(value)


def bare(value: Any) -> str:
    """The same, but a text without its quotes: ``adam``."""
    return value if isinstance(value, str) else toml(value)
