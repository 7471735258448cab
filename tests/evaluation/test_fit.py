"""The reading of training and test accuracy."""

from __future__ import annotations

import math

import pytest

from workbench.evaluation.fit import read_fit


@pytest.mark.parametrize(
    ("train", "test", "progress", "rise", "verdict", "words"),
    [
        (0.994, 0.871, 1.0, 0.0, "warn", ("it memorises", "augmentation", "weight decay")),
        (0.80, 0.79, 1.0, 0.002, "warn", ("larger network", "longer")),
        (0.80, 0.79, 0.5, 0.05, "pass", ("rise together",)),
        (0.995, 0.95, 1.0, 0.0, "pass", ("agree",)),
        (0.96, 0.82, 0.6, 0.01, "pass", ("14 points ahead",)),
        (0.85, 0.92, 0.6, 0.01, "pass", ("harder task",)),
        (0.994, 0.871, 0.05, 0.0, "not judged", ("too early",)),
        (math.nan, 0.871, 1.0, math.nan, "not judged", ("mixed",)),
        (0.5, math.nan, 1.0, 0.0, "not judged", ("not a number",)),
        (0.80, 0.79, 1.0, math.nan, "pass", ("agree",)),
    ],
)
def test_a_reading(
    train: float, test: float, progress: float, rise: float, verdict: str, words: tuple[str, ...]
) -> None:
    found = read_fit(train, test, progress, rise)
    assert found.verdict == verdict
    assert all(word in found.advice for word in words), found.advice


def test_the_accuracies_are_named() -> None:
    assert read_fit(0.994, 0.871, 1.0, 0.0).found == "training 99.4, test 87.1 %"
    assert read_fit(0.994, 0.871, 1.0, 0.0, split="validation").found == "training 99.4, validation 87.1 %"
    assert read_fit(math.nan, 0.871, 1.0, 0.0).found == "test 87.1 %"
