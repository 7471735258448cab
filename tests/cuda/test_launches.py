"""What a steady step of each packaged recipe launches stays within bounds, and nothing in it waits for the device.

A bound that is too high is as wrong as one that is too low: where a step needs less, lower its bound, here and in
recipes/PROFILES.md (`python -m tests.cuda.launches` prints the table).
"""

from __future__ import annotations

import pytest

from tests.cuda import launches, runtime
from tests.cuda.launches import MODES, Mode, counted

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not runtime.present(), reason="counts what the stand-in hears: `python -m tests.cuda` runs it"),
]

BOUNDS: dict[str, tuple[int, int]] = {
    "basic-cnn": (78, 12),
    "deeper-cnn": (389, 211),
    "deeper-cnn-c100": (389, 211),
    "digits": (140, 49),
    "dreamfire": (530, 266),
    "dreamfire-sgd": (528, 266),
    "fast94": (453, 107),
    "fast94-cpu": (1579, 110),
    "ninety-four": (321, 140),
    "resnet18": (423, 209),
    "resnet18-c100": (423, 209),
    "resnet20": (498, 209),
    "resnet32": (630, 209),
    "v0": (84, 10),
    "v1": (84, 10),
    "v2": (103, 10),
    "v3": (103, 10),
    "v4": (181, 88),
    "v5": (234, 88),
    "v6": (249, 89),
}
"""Launches of a step as written, and of one that is recorded."""
SLACK = 0.9
"""Versions of torch differ by some launches; a step below this part of its bound has a bound of long ago."""


def test_every_packaged_recipe_has_its_bound() -> None:
    assert sorted(BOUNDS) == sorted(launches.recipes())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BOUNDS)
def test_a_steady_step_launches_no_more_than_it_did(name: str, mode: Mode) -> None:
    found = counted(name, mode)
    bound = BOUNDS[name][MODES.index(mode)]
    assert SLACK * bound - 5 <= found.total <= bound, found.by_name.most_common(30)
    assert found.waits == 0
    assert found.graphs == (mode == "graph")


def test_what_one_step_wastes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cast of every gradient would be one launch for each of them, and a wait is told apart from launches."""
    from workbench.engine.guard import Guard

    before, inspect = counted("v0", "off"), Guard.inspect

    def wasteful(guard, loss, parameters):
        for parameter in parameters:
            parameter.grad.double()
        loss.item()
        return inspect(guard, loss, parameters)

    monkeypatch.setattr(Guard, "inspect", wasteful)
    after = counted("v0", "off")
    assert after.kernels - before.kernels == 10
    assert after.copies - before.copies == 1
    assert after.waits - before.waits == 1
