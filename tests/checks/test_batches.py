"""Where the data set or the run is smaller than the recipe's numbers, that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_recipes import Noise, recipe
from workbench.checks.batches import Batches
from workbench.data.base import DataError, DataSet
from workbench.engine.build import build
from workbench.engine.summary import build_summary


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("data.batch_size=41",), "≤ 40 training images"),
        (("data.batch_size=40",), ""),
        (("data.batch_size=37", "data.validation=0.1"), "≤ 36 training images"),
        (("data.batch_size=8", "train.epochs=0.05"), "at least one step"),
        (("data.batch_size=8", "train.epochs=0.2"), ""),
    ],
)
def test_what_is_too_large_for_the_set(tmp_path: Path, changes: tuple[str, ...], words: str) -> None:
    found = recipe("resnet20", *changes).model_copy(update={"data_source": Noise(10)})
    for make in (lambda: build(found, "cpu", tmp_path), lambda: build_summary(found, tmp_path)):
        result = Batches().examine(make())  # type: ignore[arg-type, no-untyped-call]
        assert (result is not None) == bool(words)
        if result is not None:
            assert result.verdict == "warn" and words == result.expected and result.advice.startswith("set ")


def test_a_single_class_is_said(tmp_path: Path) -> None:
    class One(Noise):
        def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
            return replace(super().load(root, report), classes=("cat",))

    found = recipe("resnet20").model_copy(update={"data_source": One(1)})
    for make in (build, build_summary):
        with pytest.raises(DataError, match="has a single class, cat; a classifier needs two or more"):
            make(found, "cpu", tmp_path) if make is build else make(found, tmp_path)  # type: ignore[call-arg, arg-type]
