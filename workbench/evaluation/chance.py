"""Whether answers are better than guesses: what chance alone reaches, from exact bounds that hold for few images too.

A guesser knows at best how frequent the classes are: no more are right than the share of the most frequent class, and
the mean of the classes' recalls is 1 / classes at most, however the classes are mixed. Torch-free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CHANCE = 0.005
"""Right answers that chance brings less often than this are no guesses. A bound: the real probability is a fraction."""

PART = 0.1
"""Share of the way from guessing to all right that the mean recall must go where the accuracy itself shows nothing."""

TOLD = 1 / 3
"""A sample is large enough if it would show an accuracy that has gone this share of the way from guessing to 1."""


def beyond_chance(right: float, images: float, share: float) -> bool:
    """Whether ``right`` of ``images`` answers are more than a guesser gets who is right with probability ``share``."""
    return _surprise(right, images, share) >= -math.log(CHANCE)


def reach_of_chance(images: float, share: float) -> float:
    """The accuracy, 0–1, from which on :func:`beyond_chance` holds; above 1 where so few images cannot show it."""
    if images <= 0 or not beyond_chance(images, images, share):
        return math.inf
    low, high = share, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond_chance(middle * images, images, share) else (middle, high)
    return high


def enough(images: float, share: float) -> bool:
    """Whether so many images can tell a network that has learned something from one that guesses."""
    return reach_of_chance(images, share) <= way(share, TOLD)


def way(share: float, part: float) -> float:
    """The accuracy that has gone a part of the way from guessing, ``share``, to 1."""
    return share + part * (1 - share)


def recognises(confusion: Sequence[Sequence[int]]) -> bool:
    """Whether the answers go with the images, from how often class ``row`` was taken for class ``column``.

    True if the accuracy is beyond the share of the most frequent class, or the mean recall clearly beyond that of
    guessing: where nine of ten images are of one class, a network that finds the tenth need not be right more often
    than one that never looks.
    """
    sizes = [sum(row) for row in confusion]
    images, present = sum(sizes), [label for label, size in enumerate(sizes) if size]
    if not images:
        return False
    right = [confusion[label][label] for label in range(len(sizes))]
    if beyond_chance(sum(right), images, max(sizes) / images):
        return True
    recall = sum(right[label] / sizes[label] for label in present) / len(present)
    if recall < way(1 / len(present), PART):
        return False
    answered = [sum(row[label] for row in confusion) / images for label in present]
    return _recall_surprise(recall, answered, [sizes[label] for label in present]) >= -math.log(CHANCE)


def _surprise(right: float, images: float, share: float) -> float:
    """Chernoff's bound: the probability of so many right guesses is at most exp(−this)."""
    if images <= 0 or right <= share * images:
        return 0.0
    found = min(1.0, right / images)
    if share <= 0:
        return math.inf
    rest = (1 - found) * math.log((1 - found) / (1 - share)) if found < 1 else 0.0
    return images * (found * math.log(found / share) + rest)


def _recall_surprise(recall: float, answered: Sequence[float], sizes: Sequence[int]) -> float:
    """The same for a mean of recalls, each a binomial of its class's size and of how often the class is answered."""
    weights = [1 / (len(sizes) * size) for size in sizes]

    def bound(pull: float) -> float:
        grown = sum(
            size * math.log1p(share * math.expm1(pull * weight))
            for share, size, weight in zip(answered, sizes, weights, strict=True)
        )
        return pull * recall - grown

    low, high = 0.0, 500.0 / max(weights)  # exp overflows beyond
    for _ in range(200):  # the bound is concave in the pull
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if bound(left) < bound(right) else (low, right)
    return max(0.0, bound(low))
