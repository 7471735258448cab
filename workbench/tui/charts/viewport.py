"""What part of a run its charts show, where their cursor stands and what their x axis counts: common to all of them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.format import duration
from workbench.tui.charts.columns import DEFAULT_SMOOTHING, HALF_LIVES, numbers
from workbench.tui.charts.drawing import Axis, nice_ticks

Unit = Literal["epoch", "time", "step"]
UNITS: tuple[Unit, ...] = ("epoch", "time", "step")

LEAST = 4.0
"""Steps that a window shows at least."""

ROUND_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True)
class Progress:
    """How far a run is: its logged steps with the training seconds at each, all its steps, the steps of an epoch.

    to_the_end: what is shown reaches to the last step, however far the run is.
    """

    steps: Sequence[float] = ()
    seconds: Sequence[float] = ()
    total: int = 1
    epoch: int = 1
    newest: float = 0.0
    to_the_end: bool = False

    @property
    def extent(self) -> float:
        """The end of the axis when everything is shown: at least a 64th of the run, and it grows by doubling."""
        for power in range(0 if self.to_the_end else 6, 0, -1):
            if self.newest <= self.total / 2**power:
                return float(max(1.0, self.total / 2**power))
        return float(max(1, self.total, self.newest))


@dataclass
class Viewport:
    """The window in steps, None for all; whether it follows the newest step; the cursor, a step or None."""

    unit: Unit = "epoch"
    smoothing: int = DEFAULT_SMOOTHING
    cursor: float | None = None
    following: bool = True
    _window: tuple[float, float] | None = field(default=None, repr=False)

    @property
    def remembered(self) -> dict[str, Any]:
        """What the next session in this folder begins with."""
        return {"unit": self.unit, "smoothing": self.smoothing}

    def restore(self, before: Mapping[str, Any]) -> None:
        """Take up what an earlier session remembered, as far as it can be understood."""
        if before.get("unit") in UNITS:
            self.unit = before["unit"]
        if isinstance(smoothing := before.get("smoothing"), int):
            self.smoothing = min(max(smoothing, 0), len(HALF_LIVES) - 1)

    @property
    def whole(self) -> bool:
        """Whether everything is shown."""
        return self._window is None

    def window(self, progress: Progress) -> tuple[float, float]:
        """First and last step on the axis. One that follows moves by an eighth of itself at a time."""
        if self._window is None:
            return 0.0, progress.extent
        low, high = self._window
        if self.following and progress.newest > high:
            part = (high - low) / 8
            ahead = math.ceil((progress.newest - high) / part) * part
            self._window = low, high = low + ahead, high + ahead
        return low, high

    def zoom(self, factor: float, progress: Progress, about: float | None = None) -> None:
        """Show ``factor`` times as much, around a step: by default the cursor, or the newest step, or the middle."""
        low, high = self.window(progress)
        if about is None:
            inside = self.cursor is not None and low <= self.cursor <= high
            about = self.cursor if inside else progress.newest if self.following else (low + high) / 2
        assert about is not None
        about = min(max(about, low), high)
        span = max(LEAST, (high - low) * factor)
        share = (about - low) / (high - low)
        self._show(about - share * span, span, progress)

    def pan(self, share: float, progress: Progress) -> None:
        """Move by a share of what is shown; to the right if positive."""
        low, high = self.window(progress)
        if self._window is not None:
            self._show(low + share * (high - low), high - low, progress)

    def _show(self, low: float, span: float, progress: Progress) -> None:
        extent = progress.extent
        if span >= extent:
            self.reset()
            return
        low = min(max(0.0, low), extent - span)
        self._window = low, low + span
        self.following = low + span >= progress.newest

    def reset(self) -> None:
        """Show everything."""
        self._window, self.following = None, True

    def move(self, direction: int, cells: int, progress: Progress) -> None:
        """Move the cursor by about a cell of a chart, from logged step to logged step; it appears at the newest."""
        steps = progress.steps
        if not steps:
            return
        low, high = self.window(progress)
        first, last = bisect.bisect_left(steps, low), bisect.bisect_right(steps, high) - 1
        if self.cursor is None:
            self.cursor = float(steps[max(0, last)])
            return
        stride = max(1, round((last - first) / max(1, cells)))
        place = bisect.bisect_right(steps, self.cursor) - 1 + direction * stride
        self.put(steps[min(max(place, 0), len(steps) - 1)], progress)
        if not low <= self.cursor <= high:
            self._show(self.cursor - (high - low) / 2, high - low, progress)

    def put(self, step: float, progress: Progress) -> None:
        """Set the cursor on the logged step nearest to a place."""
        steps = progress.steps
        if steps:
            place = bisect.bisect_left(steps, step)
            near = steps[max(0, place - 1) : place + 1]
            self.cursor = float(min(near, key=lambda known: abs(known - step)))

    def smooth(self, direction: int) -> None:
        """More smoothing or less."""
        self.smoothing = min(max(self.smoothing + direction, 0), len(HALF_LIVES) - 1)

    def next_unit(self) -> None:
        """Epochs, time, steps, and again."""
        self.unit = UNITS[(UNITS.index(self.unit) + 1) % len(UNITS)]

    def places(self, steps: Any, progress: Progress) -> Any:
        """Steps (a NumPy array) as places on the axis: epochs, training seconds or steps."""
        import numpy as np

        if self.unit == "step":
            return steps
        if self.unit == "epoch":
            return steps / progress.epoch
        if not len(progress.steps):
            return steps * 0.0
        known, seconds = numbers(progress.steps), numbers(progress.seconds)
        inside = np.interp(steps, np.concatenate(([0.0], known)), np.concatenate(([0.0], seconds)))
        pace = seconds[-1] / known[-1] if known[-1] > 0 else 0.0  # beyond the newest step at the mean pace so far
        return inside + np.maximum(np.asarray(steps) - known[-1], 0.0) * pace

    def step_at(self, share: float, progress: Progress) -> float:
        """The step at a share of the axis, 0 at its left end and 1 at its right."""
        import numpy as np

        low, high = self.window(progress)
        axis = self.axis(progress, 80)
        steps = np.linspace(low, high, 513)
        return float(np.interp(axis.low + share * (axis.high - axis.low), self.places(steps, progress), steps))

    def axis(self, progress: Progress, width: int) -> Axis:
        """The x axis for a chart of some cells."""
        import numpy as np

        low, high = (float(v) for v in self.places(np.array(self.window(progress)), progress))
        if self.unit == "time":
            if high > low:  # the pace is never quite the same: on a grid, the axis stands still
                grid = 2.0 ** math.floor(math.log2(high - low)) / 16
                low, high = math.floor(low / grid) * grid, math.ceil(high / grid) * grid
            high = max(high, low + 1.0)
            step = next((s for s in ROUND_SECONDS if (high - low) / s <= max(2, width // 12)), 86400.0)
            ticks = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
            return Axis(low, high, [(t, duration(t)) for t in ticks], "training")
        ticks = nice_ticks(low, high, max(2, width // 10))
        return Axis(low, high, [(t, short(t)) for t in ticks], f"{self.unit}s")

    def where(self, step: float, progress: Progress) -> str:
        """A step in all three units."""
        import numpy as np

        seconds = Viewport(unit="time").places(np.array([step]), progress)[0]
        return f"step {step:,.0f} · epoch {step / progress.epoch:.2f} · {duration(float(seconds))}"


def short(value: float) -> str:
    """A number for a tick: 20k, 1.5M, 0.25."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"
