"""The learning rate that a recipe plans, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Callable

POINTS = 200
"""Points of the curve, about."""

Curve = list[tuple[int, float]]
"""Steps and the learning rate at each."""


def planned(learning_rate: Callable[[int], float], steps: int, steps_per_epoch: int) -> Curve:
    """The learning rate from the first step to the last; values that are not finite are left out."""
    curve = [(step, float(learning_rate(step))) for step in sample_steps(steps, steps_per_epoch)]
    return [(step, rate) for step, rate in curve if math.isfinite(rate)]


def sample_steps(steps: int, steps_per_epoch: int, points: int = POINTS) -> list[int]:
    """Steps from 0 to the last: about half of them evenly, half of them denser towards the start, where warm-ups are.

    The ends of the first epochs are among them: that is where most warm-ups end.
    """
    if steps <= points:
        return list(range(steps))
    half = points // 2
    even = [round(i * (steps - 1) / (half - 1)) for i in range(half)]
    dense = [round((steps - 1) ** (i / (half - 1))) for i in range(half)]
    ends = [e * steps_per_epoch + i for e in range(1, 11) for i in (-1, 0) if e * steps_per_epoch + i < steps]
    return sorted({*even, *dense, *ends})
