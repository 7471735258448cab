"""Builds of the test table's recipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checks.conftest import feeding
from tests.engine.conftest import Make
from tests.techniques.table import trial
from workbench.data.base import DataSet
from workbench.engine.build import Build, build


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Build a trial of some techniques with overrides, perhaps on another data set; closed at the end."""
    made: list[Build] = []

    def _make(*names: str, extra: tuple[str, ...] = (), device: str = "cpu", dataset: DataSet | None = None) -> Build:
        recipe = trial(*names, extra=extra)
        made.append(build(recipe if dataset is None else feeding(recipe, dataset), device, tmp_path))
        return made[-1]

    yield _make
    for one in made:
        one.close()
