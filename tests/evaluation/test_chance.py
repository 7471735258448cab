"""Known answers about chance."""

from __future__ import annotations

import math
import random

import pytest

from workbench.evaluation.chance import CHANCE, beyond_chance, enough, reach_of_chance, recognises


def tail(right: int, images: int, share: float) -> float:
    """The exact probability of so many right guesses or more."""
    return sum(math.comb(images, k) * share**k * (1 - share) ** (images - k) for k in range(right, images + 1))


@pytest.mark.parametrize(("images", "share"), [(5, 0.5), (20, 0.5), (40, 0.1), (359, 0.1), (359, 0.8), (900, 0.01)])
def test_what_counts_as_no_chance_is_rare_by_the_exact_binomial(images: int, share: float) -> None:
    first = next((right for right in range(images + 1) if beyond_chance(right, images, share)), None)
    if first is None:
        assert share**images > CHANCE and reach_of_chance(images, share) == math.inf
        return
    assert tail(first, images, share) <= CHANCE
    assert tail(math.floor(share * images + 0.6 * (first - share * images)), images, share) > CHANCE / 5
    assert first - 1 <= reach_of_chance(images, share) * images <= first + 1e-6


def test_few_images_cannot_tell() -> None:
    assert not enough(2, 0.1) and not enough(20, 0.5) and not enough(0, 0.5)
    assert enough(359, 0.1) and enough(10_000, 0.01) and enough(100, 0.5)
    assert reach_of_chance(2, 0.1) == math.inf


def constant(sizes: list[int], answer: int) -> list[list[int]]:
    return [[size if column == answer else 0 for column in range(len(sizes))] for size in sizes]


def test_one_answer_for_everything_recognises_nothing() -> None:
    for sizes in ([36] * 10, [990, 10], [600, 400], [1, 1]):
        assert not any(recognises(constant(sizes, answer)) for answer in range(len(sizes)))
    assert not recognises([[0, 0], [0, 0]])


def test_guesses_of_any_frequency_recognise_nothing() -> None:
    draw = random.Random(0)
    for _ in range(300):
        classes = draw.choice([2, 5, 10])
        sizes = [draw.randint(1, 80) for _ in range(classes)]
        weights = [draw.random() for _ in range(classes)]
        rows = [[0] * classes for _ in sizes]
        for label, size in enumerate(sizes):
            for answer in draw.choices(range(classes), weights, k=size):
                rows[label][answer] += 1
        assert not recognises(rows), (sizes, rows)


def test_a_rare_class_that_is_found_is_no_guess_whatever_the_accuracy() -> None:
    found = [[988, 2], [6, 4]]  # 99.2 % right, as 99.0 % are where only one answer is given
    assert not beyond_chance(992, 1000, 0.99) and recognises(found)
    assert recognises([[20, 0], [2, 18]])
    assert not recognises([[4 if row == column else 3 for column in range(10)] for row in range(10)])
