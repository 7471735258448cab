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
    "basic-cnn": (70, 10),
    "deeper-cnn": (295, 10),
    "deeper-cnn-c100": (295, 10),
    "digits": (131, 8),
    "dreamfire": (408, 8),
    "dreamfire-sgd": (406, 8),
    "fast94": (310, 10),
    "fast94-cpu": (1460, 13),
    "fast94-growing": (349, 13),
    "ninety-four": (284, 8),
    "resnet18": (329, 8),
    "resnet18-c100": (329, 8),
    "resnet20": (405, 8),
    "resnet32": (537, 8),
    "v0": (76, 8),
    "v1": (76, 8),
    "v2": (95, 8),
    "v3": (95, 8),
    "v4": (144, 8),
    "v5": (197, 8),
    "v6": (212, 9),
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
    assert found.graphs == (3 if mode == "graph" else 0)  # the batch, what the network meets of it, the step


def test_what_one_step_wastes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cast of every gradient would be one launch for each of them, and a wait is told apart from launches."""
    from workbench.engine.guard import Guard

    before, check_finite = counted("v0", "off"), Guard.check_finite

    def wasteful(guard, loss, parameters):
        for parameter in parameters:
            parameter.grad.double()
        loss.item()
        return check_finite(guard, loss, parameters)

    monkeypatch.setattr(Guard, "check_finite", wasteful)
    after = counted("v0", "off")
    assert after.kernels - before.kernels == 10
    assert after.copies - before.copies == 1
    assert after.waits - before.waits == 1
