"""Planted bottlenecks, known to recipes while a test runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from workbench.profiling.profile import profile
from workbench.profiling.report import Bound, Report
from workbench.recipe import Recipe, read_recipe
from workbench.recipe.registries import TECHNIQUES

RECIPE = """
name = "planted"
[data]
source = "digits"
batch_size = 64
[model]
name = "cnn"
widths = [4, 8]
hidden = []
[train]
epochs = 50
compile = "off"
[techniques.sgd]
learning_rate = 0.01
"""

Read = Callable[..., Recipe]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Read:
    """The small recipe with overrides, in which the plants can be named."""
    known = {spec.name: spec for spec in TECHNIQUES}
    monkeypatch.setattr(TECHNIQUES, "_specs", known)
    from tests.profiling.synthetic_bottlenecks import PLANTS

    for plant in PLANTS:
        TECHNIQUES.add(plant)
    return lambda *overrides: read_recipe(RECIPE, overrides=overrides)


LONGER = (0.6, 1.2, 2.4, 4.8)


def limited_by(
    bound: Bound, recipe: Recipe, folder: Path, device: str, try_it: bool = False, lengths: Sequence[float] = LONGER
) -> Report:
    """A report that finds what was planted. One that cannot say is made anew, longer; one that guesses fails."""
    for seconds in lengths:
        found = report_of(recipe, folder, device, seconds, try_it=try_it)
        if found.bound == bound:
            return found
        assert found.bound == "unclear", f"not {bound}: {found.sentence}"
    pytest.fail(f"never clear; the last time: {found.sentence}")


def undisturbed(report: Report) -> bool:
    """Whether other programs left the training alone, so that its figures can be judged by the clock."""
    return not any("other programs kept" in note for note in report.notes)


def report_of(recipe: Recipe, folder: Path, device: str = "cpu", seconds: float = 1.2, try_it: bool = False) -> Report:
    """A whole profile."""
    *_, last = profile(recipe, device, folder, seconds=seconds, try_it=try_it)
    assert isinstance(last, Report)
    return last
