"""The turns in which all parts are measured: as many as it takes until what was found is clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.profiling.conftest import Read
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.profiling import ceilings
from workbench.profiling.ceilings import FEWEST_ROUNDS, MOST_ROUNDS, ROUNDS, Ceilings, Measurement
from workbench.profiling.report import MeasuringProgress


def measured(
    recipe: Read, folder: Path, clear: Callable[[Ceilings], bool], *more: str
) -> tuple[list[MeasuringProgress], Ceilings]:
    wanted = recipe(*more)
    with backend(wanted):
        built = build(wanted, "cpu", folder)
        measurement = Measurement(built, 0.04, folder)
        try:
            return list(measurement.run(clear)), measurement.found()
        finally:
            measurement.close()
            built.close()


@pytest.mark.parametrize(("clear_after", "turns"), [(0, ROUNDS), (ROUNDS + 1, ROUNDS + 1), (99, MOST_ROUNDS)])
def test_as_many_turns_as_it_takes(
    recipe: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clear_after: int, turns: int
) -> None:
    monkeypatch.setattr(ceilings, "PATIENCE", 10_000.0)
    progress, found = measured(recipe, tmp_path, lambda found: len(found.turns) >= clear_after)
    assert len(found.turns) == found.end_to_end.windows == turns
    assert len(progress) == 4 * turns
    shares = [item.share for item in progress]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] < 1
    assert progress[-1].message == f"network alone, twice the images, window {turns} of {turns}"


def test_what_is_not_clear_in_good_time_stays_so(recipe: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "PATIENCE", 0.01)
    _, found = measured(recipe, tmp_path, lambda found: False)
    assert len(found.turns) == FEWEST_ROUNDS


def test_the_phases_are_known_before_the_end(recipe: Read, tmp_path: Path) -> None:
    seen: list[float] = []

    def clear(found: Ceilings) -> bool:
        seen.append(found.phases.seconds["augment"])
        return True

    measured(recipe, tmp_path, clear, "techniques.slow_transform.milliseconds=1")
    assert seen[0] > 0.05
