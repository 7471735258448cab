"""Five inner functions of plotext 5.3.2 computed with NumPy: the same results, a third of the time.

Only for exactly that version, see :func:`install`; what a function here is not made for goes to plotext's own.
"""

from __future__ import annotations

from typing import Any

VERSION = "5.3.2"

_own: dict[str, Any] = {}
"""plotext's functions, by name, while ours stand in their places."""


def install() -> bool:
    """Put them in plotext's places, in all of this process; False where plotext is another version."""
    import plotext
    import plotext._utility as utility

    if plotext.__version__ != VERSION or _own:
        return bool(_own)
    for function in (get_matrix_data, get_lines, hd_group, brush, remove_outsiders):
        _own[function.__name__] = getattr(utility, function.__name__)
        setattr(utility, function.__name__, function)
    return True


def uninstall() -> None:
    """Give plotext its own functions back."""
    import plotext._utility as utility

    for name, function in _own.items():
        setattr(utility, name, function)
    _own.clear()


def _floats(*columns: Any) -> list[Any] | None:
    """The columns as arrays; None unless all are finite numbers."""
    import numpy as np

    try:
        found = [np.asarray(column, np.float64) for column in columns]
    except (TypeError, ValueError):
        return None
    return found if all(np.isfinite(column).all() for column in found) else None


def get_matrix_data(data: Any, lim: Any, bins: int) -> Any:
    """Values as the numbers of rows or columns."""
    import numpy as np

    columns = _floats(data) if data and lim[0] is not None and lim[1] != lim[0] else None
    if columns is None:
        return _own["get_matrix_data"](data, lim, bins)
    places = np.floor(np.round(0.5 + (bins - 1) * (columns[0] - lim[0]) / (lim[1] - lim[0]), 8))
    return places.astype(np.int64).tolist() if np.isfinite(places).all() else _own["get_matrix_data"](data, lim, bins)


def get_lines(x: Any, y: Any, *other: Any) -> Any:
    """The dots of the lines between points; ``other``: what each point bears, here the same for all."""
    import numpy as np

    columns = _floats(x, y) if len(x) > 1 and all(column.count(column[0]) == len(x) for column in other) else None
    if columns is None:
        return _own["get_lines"](x, y, *other)
    px, py = columns
    dx, dy = np.diff(px), np.diff(py)
    counts = np.maximum(np.abs(dx), np.abs(dy)).astype(np.int64)  # the last dot of a line is the first of the next
    at = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    steps = np.maximum(counts, 1)
    across = np.trunc(np.repeat(px[:-1], counts) + at * np.repeat(dx / steps, counts)).astype(np.int64).tolist()
    down = np.trunc(np.repeat(py[:-1], counts) + at * np.repeat(dy / steps, counts)).astype(np.int64).tolist()
    return [[*across, x[-1]], [*down, y[-1]], *([column[0]] * (len(across) + 1) for column in other)]


_markers: dict[tuple[int, int], list[tuple[int, ...]]] = {}


def _marker(bits: int, xf: int, yf: int) -> tuple[int, ...]:
    """The dots of a cell, row by row from the top, as plotext names its markers."""
    if (xf, yf) not in _markers:
        rows = range(yf - 1, -1, -1)
        _markers[xf, yf] = [
            tuple((b >> (r * xf + c)) & 1 for r in rows for c in range(xf)) for b in range(1 << xf * yf)
        ]
    return _markers[xf, yf][bits]


def hd_group(x: Any, y: Any, xf: Any, yf: Any) -> Any:
    """The cells of dots, and which of their dots are there."""
    import numpy as np

    alike = len(x) > 0 and xf.count(xf[0]) == len(xf) and yf.count(yf[0]) == len(yf)
    columns = _floats(x, y) if alike else None
    if columns is None:
        return _own["hd_group"](x, y, xf, yf)
    a, b = xf[0], yf[0]
    px, py = (column.astype(np.int64) for column in columns)
    cx, cy = px // a, py // b
    low_x, low_y = cx.min(), cy.min()
    width = int(cx.max() - low_x) + 1
    cells, inverse = np.unique((cy - low_y) * width + (cx - low_x), return_inverse=True)
    bits = np.zeros(len(cells), np.int64)
    np.bitwise_or.at(bits, inverse, np.left_shift(1, (py % b) * a + px % a))
    markers = [_marker(found, a, b) for found in bits.tolist()]
    return (cells % width + low_x).tolist(), (cells // width + low_y).tolist(), markers


def brush(*lists: Any) -> Any:
    """Without what is there twice, in the order of the first."""
    import plotext._utility as utility

    return utility.transpose(list(dict.fromkeys(zip(*lists, strict=False))), len(lists))


def remove_outsiders(x: Any, y: Any, width: int, height: int, *other: Any) -> Any:
    """Without the points that lie beyond the canvas."""
    kept = [i for i, (a, b) in enumerate(zip(x, y, strict=True)) if 0 <= a < width and 0 <= b < height]
    return [x, y, *other] if len(kept) == len(x) else [[column[i] for i in kept] for column in (x, y, *other)]
