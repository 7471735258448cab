"""What the axes of a run's charts have room for."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.tui.charts.engine import plain
from workbench.tui.charts.plot import Plot, Series, fitted_axis, followed
from workbench.tui.charts.viewport import Progress, Viewport
from workbench.tui.common.palette import Palette


def falling(start: float, end: float, count: int = 200) -> list[float]:
    return [end + (start - end) * math.exp(-6 * n / count) for n in range(count)]


def test_a_far_test_point_does_not_put_the_curve_on_the_floor() -> None:
    limits = followed(falling(0.9, 0.3), [5.1, 0.5, 0.4])
    assert limits is not None and limits[1] < 1 and limits[0] == pytest.approx(0.3, abs=0.01)


def test_where_most_of_the_recent_points_lie_far_out_they_are_followed() -> None:
    limits = followed(falling(2.3, 0.1), [1.0, 3.0, 7.9, 8.0, 8.1])
    assert limits is not None and limits[1] == 8.1
    single = followed(falling(2.3, 0.1), [1.0, 0.9, 0.8, 0.7, 1e6, 0.6])
    assert single is not None and single[1] < 3


def test_a_spike_of_the_curve_does_not_squeeze_it_but_its_beginning_has_room() -> None:
    spiked = followed([*falling(2.3, 1.6)[:50], 80.0, *falling(2.3, 1.6)], [])
    assert spiked is not None and spiked[1] == pytest.approx(2.3)
    whole = followed(falling(2.3, 0.02), [])
    assert whole is not None and whole[1] == 2.3


@pytest.mark.parametrize(("limits", "low", "high"), [((1.6, 2.5), 1.5, 2.5), ((0.1, 2.3), 0, 2.5), ((0, 0), 0, 0.125)])
def test_an_axis_uses_its_height(limits: tuple[float, float], low: float, high: float) -> None:
    axis = fitted_axis(limits, 10, str)
    assert (axis.low, axis.high) == (low, high)


def test_shares_end_at_one() -> None:
    axis = fitted_axis((0.1, 0.98), 9, lambda v: f"{v:.0%}", 1.0)
    assert (axis.low, axis.high) == (0, 1) and [word for _, word in axis.ticks] == ["0%", "50%", "100%"]
    assert fitted_axis((1.0, 1.0), 9, str, 1.0).high == 1 > fitted_axis((1.0, 1.0), 9, str, 1.0).low
    assert fitted_axis((0.2, 3.0), 9, str, 1.0).high >= 3  # whoever says 300 % is shown


@given(st.lists(st.floats(), max_size=60), st.lists(st.floats(), max_size=9), st.integers(1, 40), st.booleans())
def test_any_values_have_an_axis(curve: list[float], marks: list[float], height: int, share: bool) -> None:
    curve, marks = ([v if abs(v) < 1e150 else math.nan for v in values] for values in (curve, marks))
    limits = followed(curve, marks)
    if limits is not None:
        assert limits[0] <= limits[1]
        axis = fitted_axis(limits, height, str, 1.0 if share else math.inf)
        assert axis.low < axis.high
        slack = 1e-9 * max(map(abs, limits))
        assert axis.low - slack <= limits[0] and limits[1] <= axis.high + slack


def test_a_point_beyond_stands_at_the_edge_with_its_value() -> None:
    steps = array("d", range(200))
    series = (
        Series("train", steps, array("d", falling(0.9, 0.3)), "smooth"),
        Series("test", array("d", [50, 100, 150]), array("d", [5.1, 0.5, 0.4]), "test", "marks", "◆"),
    )
    plot = Plot("Loss", series, lambda v: f"{v:.2f}", str, str, "follow")
    lines = plain(plot.draw(80, 14, Viewport(), Progress(steps, steps, 200, 50, 199), Palette())[0]).split("\n")
    assert "◆↑5.10" in lines[0] and sum(line.count("◆") for line in lines) == 3
