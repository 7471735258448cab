"""Milliseconds of CPU to redraw a loss chart of 1,000,000 points, raw and smoothed, 160×40 cells: median of 20.

``python tests/benchmarks/chart_redraw.py``; everything from the columns to the cells that would be sent. Whole and
zoomed to a thousandth; then with a cursor, on a logarithmic scale, over training time; and the smoothing alone,
once, when its strength changes.
"""

from __future__ import annotations

import statistics
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.tui.charts.columns import Curve
from workbench.tui.charts.plot import Plot, Series
from workbench.tui.charts.viewport import Progress, Viewport
from workbench.tui.charts.widgets import cells_of
from workbench.tui.common.palette import Palette

POINTS, WIDTH, HEIGHT, TIMES = 1_000_000, 160, 40, 20


def milliseconds(work: Callable[[], object], times: int = TIMES) -> float:
    """The median of this thread's CPU time."""
    found = []
    for _ in range(times):
        begun = time.thread_time()
        work()
        found.append(1000 * (time.thread_time() - begun))
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    draws = np.random.default_rng(0)
    steps = array("d", np.arange(1.0, POINTS + 1).tobytes())
    seconds = array("d", (np.arange(1.0, POINTS + 1) / 50).tobytes())
    curve = Curve(steps, POINTS)
    noisy = (2.3 * np.exp(-np.arange(POINTS) / 2e5) + 0.05) * draws.uniform(0.7, 1.3, POINTS)
    curve.values = array("d", noisy.tobytes())
    progress = Progress(steps, seconds, POINTS, 390, POINTS)
    print(f"{POINTS:,} points, {WIDTH}×{HEIGHT} cells, median of {TIMES}, ms of CPU")
    print(f"  smoothing all points   {milliseconds(lambda: Curve.smoothed(copy_of(curve)), 5):6.1f}  (once a change)")

    def redraw(viewport: Viewport, log: bool = False) -> Callable[[], object]:
        def work() -> object:
            plot = Plot(
                "Loss",
                (
                    Series("raw", steps, curve.values, "raw", "faint"),
                    Series("train", steps, curve.smoothed(viewport.smoothing), "smooth"),
                ),
                str, str, str, positive=True,
            )  # fmt: skip
            rows, _ = plot.draw(WIDTH, HEIGHT, viewport, progress, Palette(), log=log)
            return [cells_of(row, WIDTH) for row in rows]

        work()
        return work

    zoomed = Viewport()
    zoomed.zoom(1e-3, progress, about=POINTS / 2)
    print(f"  the whole run          {milliseconds(redraw(Viewport())):6.1f}")
    print(f"  zoomed to a thousandth {milliseconds(redraw(zoomed)):6.1f}")
    print(f"  with a cursor          {milliseconds(redraw(Viewport(cursor=POINTS / 3))):6.1f}")
    print(f"  logarithmic            {milliseconds(redraw(Viewport(), log=True)):6.1f}")
    print(f"  over training time     {milliseconds(redraw(Viewport(unit='time'))):6.1f}")


def copy_of(curve: Curve) -> Curve:
    """The same values, nothing smoothed yet."""
    other = Curve(curve.steps, len(curve.steps))
    other.values = curve.values
    return other


if __name__ == "__main__":
    main()
