"""A curve of any length in a fixed number of buckets, whose edges move only by doubling."""

from __future__ import annotations

import math
from dataclasses import dataclass

BUCKETS = 512


@dataclass(slots=True)
class Bucket:
    """The values of some neighbouring steps. ``last`` is the newest of them; ``gap``: one of them was not finite."""

    low: float = math.inf
    high: float = -math.inf
    last: float = math.nan
    gap: bool = False

    @property
    def empty(self) -> bool:
        """Whether no finite value is in it."""
        return self.low > self.high


class Buckets:
    """Minimum, maximum and last value of each stretch of ``width`` steps. Values come in the order of their steps.

    When a step lies beyond the last bucket, neighbours are merged and the width doubles: memory and drawing stay
    the same for a run of any length, and an old bucket's picture hardly ever changes.
    """

    def __init__(self) -> None:
        self.width = 1
        self.buckets: list[Bucket] = []

    def add(self, step: int, value: float) -> None:
        """Take one value; one that is not finite leaves a gap."""
        place = max(step, 0) // self.width
        while place >= BUCKETS:
            self._double()
            place = step // self.width
        while len(self.buckets) <= place:
            self.buckets.append(Bucket())
        bucket = self.buckets[place]
        if math.isfinite(value):
            bucket.low = min(bucket.low, value)
            bucket.high = max(bucket.high, value)
            bucket.last = value
        else:
            bucket.gap = True

    def _double(self) -> None:
        self.width *= 2
        pairs = [self.buckets[i : i + 2] for i in range(0, len(self.buckets), 2)]
        self.buckets = [pair[0] if len(pair) == 1 else _merged(*pair) for pair in pairs]

    def extremes(self) -> tuple[float, float] | None:
        """Lowest and highest value so far; None without any."""
        lows = [b.low for b in self.buckets if not b.empty]
        return (min(lows), max(b.high for b in self.buckets if not b.empty)) if lows else None

    def line(self) -> list[tuple[float, float]]:
        """The last value of each bucket at its middle; a gap is a nan."""
        points: list[tuple[float, float]] = []
        for place, bucket in enumerate(self.buckets):
            middle = (place + 0.5) * self.width
            if not bucket.empty:
                points.append((middle, bucket.last))
            if bucket.gap:
                points.append((middle, math.nan))
        return points

    def band(self, count: int) -> list[tuple[float, float, float]]:
        """Middle, minimum and maximum over at most ``count`` stretches; a gap has nan for both."""
        group = 1
        while len(self.buckets) / group > count:
            group *= 2
        found: list[tuple[float, float, float]] = []
        for start in range(0, len(self.buckets), group):
            members = self.buckets[start : start + group]
            full = [b for b in members if not b.empty]
            middle = (start + group / 2) * self.width
            if full:
                found.append((middle, min(b.low for b in full), max(b.high for b in full)))
            if any(b.gap for b in members):
                found.append((middle, math.nan, math.nan))
        return found


def _merged(first: Bucket, second: Bucket) -> Bucket:
    return Bucket(
        low=min(first.low, second.low),
        high=max(first.high, second.high),
        last=first.last if second.empty else second.last,
        gap=first.gap or second.gap,
    )
