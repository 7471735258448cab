"""What training and test accuracy say together: whether a network memorises, is too small, or learns as it should."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from workbench.format import percent

EARLY = 0.1
"""Share of a run before which nothing is said."""

MEMORISED = 0.99
GENERAL = 0.90
STUCK = 0.85
"""Accuracies of the reading: training beyond the first with a test below the second; both below the third."""

STILL = 0.01
"""A training accuracy that rose by less in the last fifth of the steps stands still."""


@dataclass(frozen=True)
class Fit:
    """A reading. ``found``: the two accuracies in words; ``advice``: what they mean and what to do."""

    verdict: Literal["pass", "warn", "not judged"]
    found: str
    advice: str


def read_fit(
    train: float, test: float, progress: float, rise: float, *, split: str = "test", guess: float = 0.0
) -> Fit:
    """Read the two accuracies of a run.

    train: smoothed training accuracy, 0–1, nan where targets are mixed. test: accuracy on ``split`` at the same step.
    progress: share of the run that is done. rise: what the smoothed training accuracy gained in the last fifth of the
    steps done, nan where unknown. guess: the accuracy that guessing may reach; where neither is above it, nothing was
    learned that could fit well or badly. The limits are those of small images in ten classes, CIFAR-10 above all.
    """
    if not math.isfinite(test):
        return Fit("not judged", "", f"the accuracy on the {split} split is not a number")
    if math.isnan(train):
        advice = "targets are mixed, so there is no training accuracy to hold against it"
        return Fit("not judged", f"{split} {percent(test, 1)}", advice)
    found = f"training {100 * train:.1f}, {split} {percent(test, 1)}"
    if progress < EARLY:
        return Fit("not judged", found, "too early to say: less than a tenth of the run is done")
    if train <= guess and test <= guess:
        advice = "nothing is learned that could fit well or badly: both are within reach of guessing"
        return Fit("not judged", found, advice)
    if train > MEMORISED and test < GENERAL:
        advice = "it memorises: add augmentation, weight decay, dropout or label smoothing"
        return Fit("warn", found, advice)
    if train < STUCK and test < STUCK and rise < STILL:
        return Fit("warn", found, "both are stuck: take a larger network, or train longer with a higher learning rate")
    gap = train - test
    if gap > 0.1:
        return Fit("pass", found, f"training is {100 * gap:.0f} points ahead; if the {split} stops rising, regularise")
    if gap < -0.02:
        return Fit("pass", found, "training is the harder task, as augmentation or dropout make it: no memorising")
    if rise >= STILL:
        return Fit("pass", found, "both still rise together: no sign of memorising")
    if math.isnan(rise) and train < STUCK and test < STUCK:
        advice = "training and test agree: no sign of memorising; too few points to say whether it is stuck"
        return Fit("pass", found, advice)
    return Fit("pass", found, "training and test agree: no sign of memorising")
