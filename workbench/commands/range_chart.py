"""The learning-rate range test as a chart of text."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from workbench.tui.charts.canvas import Canvas

WIDTH, HEIGHT = 60, 12


def range_chart(points: Sequence[tuple[float, float]], suggestion: float | None) -> list[str]:
    """Lines that show the loss (nats) over the learning rate, which is logarithmic; a suggestion is marked.

    points: learning rate and loss; a loss that is not finite is left out.
    """
    known = [(math.log10(rate), loss) for rate, loss in points if math.isfinite(loss)]
    if len(known) < 2:
        return ["the loss was never finite"]
    left, right = known[0][0], known[-1][0]
    low, high = min(loss for _, loss in known), max(loss for _, loss in known)
    ascii = "utf" not in (sys.stdout.encoding or "").lower()
    canvas = Canvas(WIDTH, HEIGHT, ascii=ascii)
    across, down = canvas.dots

    def x(rate: float) -> float:
        return (rate - left) / max(right - left, 1e-9) * (across - 1)

    def y(loss: float) -> float:
        return (high - loss) / max(high - low, 1e-9) * (down - 1)

    canvas.line([(x(rate), y(loss)) for rate, loss in known], 7)
    if suggestion is not None:
        canvas.upright(x(math.log10(suggestion)), "|" if ascii else "┊", 7)
    rows = ["".join(text for text, _ in row).ljust(WIDTH) for row in canvas.rows()]
    labels = {0: f"{high:.3g}", HEIGHT - 1: f"{low:.3g}"}
    bar = "|" if ascii else "│"
    lines = [f"{labels.get(number, ''):>8} {bar}{row}".rstrip() for number, row in enumerate(rows)]
    first, last = f"{10**left:.1e}", f"{10**right:.1e}"
    middle = "it falls nowhere" if suggestion is None else f"try {suggestion:.2g}"
    lines.append(" " * 10 + first + middle.center(WIDTH - len(first) - len(last)) + last)
    return lines
