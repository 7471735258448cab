"""Does the training become slower?"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from workbench.checks.base import Check, CheckObserver, Result
from workbench.format import percent
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build
    from workbench.events import Trained


class Throughput(Check):
    """Images per second, held against the run's own best stretch: another process, heat, or memory that runs out."""

    name = "throughput"
    title = "throughput"
    when = "during"
    rank = 60

    window: int = parameter(10, ge=3, le=10_000, unit="points", description="points of the curve that are one stretch")
    seconds: float = parameter(5.0, ge=0, le=1e6, unit="s", description="training time that a stretch lasts at least")
    share: float = parameter(0.5, gt=0, lt=1, description="share of the best stretch below which it is told")

    def watch(self, build: Build) -> CheckObserver | None:
        """Not where a technique changes the resolution, which changes the speed by design."""
        return None if len(build.hooks.resize) else _ThroughputObserver(self)


class _ThroughputObserver(CheckObserver):
    def __init__(self, spec: Throughput) -> None:
        self.spec = spec
        self.recent: deque[float] = deque()
        self.times: deque[float] = deque()
        self.best = 0.0
        self.stretches = 0
        self.until = 0.0

    def lacks(self) -> str:
        least = f"{self.spec.window} points and {self.spec.seconds:g} s"
        return f"it needs two stretches of {least} each, to hold one against the other"

    def judge(self, trained: Trained) -> Result | None:
        if not trained.images_per_second > 0:
            return None
        self.recent.append(trained.images_per_second)
        self.times.append(trained.seconds)
        while len(self.recent) > self.spec.window and self.times[-1] - self.times[1] >= self.spec.seconds:
            self.recent.popleft()
            self.times.popleft()
        if len(self.recent) < self.spec.window or self.times[-1] - self.times[0] < self.spec.seconds:
            return None
        now = median(self.recent)
        self.best = max(self.best, now)
        if self.times[0] >= self.until:  # it shares no more than an end with the last that was counted
            self.stretches, self.until = self.stretches + 1, self.times[-1]
        if self.stretches < 2 and now >= self.spec.share * self.best:
            return None
        expected = f"at least {percent(self.spec.share, 0)} of the best stretch"
        found = f"{now:,.0f} img/s, at best {self.best:,.0f}"
        if now < self.spec.share * self.best:
            reason = "the training has become much slower than it was"
            advice = "see who else uses the machine (screen 2 shows it), and whether the loader keeps up"
            return Result("warn", expected, found, reason, advice)
        return Result("pass", expected, found, "it keeps its speed")
