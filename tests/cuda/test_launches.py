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
    "basic-cnn": (70, 12),
    "deeper-cnn": (295, 125),
    "deeper-cnn-c100": (295, 125),
    "digits": (131, 48),
    "dreamfire": (408, 152),
    "dreamfire-sgd": (406, 152),
    "fast94": (310, 65),
    "fast94-cpu": (1460, 68),
    "fast94-growing": (349, 104),
    "ninety-four": (284, 111),
    "resnet18": (329, 123),
    "resnet18-c100": (329, 123),
    "resnet20": (405, 123),
    "resnet32": (537, 123),
    "v0": (76, 10),
    "v1": (76, 10),
    "v2": (95, 10),
    "v3": (95, 10),
    "v4": (144, 59),
    "v5": (197, 59),
    "v6": (212, 60),
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
