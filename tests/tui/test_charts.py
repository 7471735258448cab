"""Charts: buckets that double, axes that stand still, gaps where a value is not finite."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.tui.buckets import BUCKETS, Buckets
from workbench.tui.charts import (
    Axis,
    Layer,
    band_points,
    doubled,
    draw,
    log_axis,
    logarithm,
    loss_axis,
    nice_ticks,
    percent_axis,
    step_axis,
)

GREY = (100, 100, 100)
BLUE = (10, 20, 250)


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n")


def test_buckets_keep_minimum_maximum_and_last_of_any_number_of_values() -> None:
    buckets = Buckets()
    for step in range(20_000):
        buckets.add(step, math.sin(step / 100) + step / 10_000)
    assert buckets.width == 64
    assert len(buckets.buckets) <= BUCKETS
    low, high = buckets.extremes() or (0, 0)
    values = [math.sin(s / 100) + s / 10_000 for s in range(20_000)]
    assert (low, high) == (min(values), max(values))
    assert buckets.line()[-1][1] == values[-1]


def test_an_old_bucket_stays_when_new_values_come() -> None:
    buckets = Buckets()
    for step in range(600):
        buckets.add(step, float(step))
    before = buckets.band(64)
    for step in range(600, 800):
        buckets.add(step, float(step))
    assert buckets.band(64)[: len(before) - 1] == before[:-1]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300), st.integers(1, 50), st.integers(1, 100))
def test_any_values_are_finite_or_gaps(values: list[float], stride: int, count: int) -> None:
    buckets = Buckets()
    for number, value in enumerate(values):
        buckets.add(number * stride, value)
    band = buckets.band(count)
    assert all(low <= high or (math.isnan(low) and math.isnan(high)) for _, low, high in band)
    assert len([b for b in band if not math.isnan(b[1])]) <= count
    assert any(math.isnan(low) for _, low, _ in band) == any(not math.isfinite(v) for v in values)


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=60),
    st.integers(0, 90),
    st.integers(0, 30),
)
def test_nothing_that_a_run_may_say_breaks_a_chart(points: list[tuple[float, float]], width: int, height: int) -> None:
    layers = [Layer(points, BLUE), Layer(points, GREY, mark="◆"), Layer(logarithm(points), GREY)]
    text = draw(layers, Axis(0, 10), Axis(0, 1), width, height, GREY)
    assert text == "" or len(text.split("\n")) == height


def test_a_chart_has_the_size_that_it_was_asked_for_whatever_the_terminal() -> None:
    points = [(x, x / 400) for x in range(400)]
    for width, height in [(200, 60), (30, 8)]:
        lines = plain(draw([Layer(points, BLUE)], Axis(0, 400), Axis(0, 1), width, height, GREY))
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        assert sum("⠀" < c <= "⣿" for line in lines for c in line) > width / 2


def test_a_gap_stays_empty() -> None:
    points = [(x, 0.5 if not 40 <= x <= 60 else math.nan) for x in range(101)]
    lines = plain(draw([Layer(points, BLUE)], Axis(0, 100), Axis(0, 1), 60, 10, GREY))
    (row,) = [line for line in lines if "⠒" in line or "⠤" in line or "⠉" in line or "⣀" in line]
    drawn = re.sub(r"[^⠀-⣿ ]", " ", row).strip()
    assert re.search(r"[⠁-⣿] {5,}[⠁-⣿]", drawn)


def test_infinite_losses_and_zeros_do_not_raise_on_a_logarithmic_axis() -> None:
    points = [(0.0, math.inf), (1.0, 0.0), (2.0, -1.0), (3.0, 1e300)]
    axis = log_axis([v for _, v in points], 10)
    assert draw([Layer(logarithm(points), BLUE)], Axis(0, 3), axis, 40, 10, GREY)


def test_the_steps_axis_doubles_up_to_the_whole_run() -> None:
    highs = [step_axis(step, 6400, 100, 60).high for step in range(0, 6401, 10)]
    assert sorted(set(highs)) == [100, 200, 400, 800, 1600, 3200, 6400]
    assert highs == sorted(highs)
    assert all(step <= high for step, high in zip(range(0, 6401, 10), highs, strict=True))
    assert [word for _, word in step_axis(6400, 6400, 100, 60).ticks] == ["0", "20", "40", "60"]


def test_the_loss_axis_moves_only_by_doubling() -> None:
    assert loss_axis([2.31, 0.1], 10).high == 2.5
    assert loss_axis([2.6], 10).high == 5
    assert loss_axis([math.nan, math.inf], 10).high == 2.5
    assert {loss_axis([v / 10], 10).high for v in range(10, 100)} == {1.25, 2.5, 5.0, 10.0}
    assert doubled(math.inf, 1) == 1


@pytest.mark.parametrize(("low", "high", "count"), [(0, 1, 3), (0, 0.05, 4), (0, 230, 5), (0, 1e9, 2), (3, 3, 4)])
def test_ticks_are_round_and_few(low: float, high: float, count: int) -> None:
    ticks = nice_ticks(low, high, count)
    assert ticks[0] == low
    assert len(ticks) <= count + 1
    assert all(low <= t <= high * (1 + 1e-9) for t in ticks)


def test_accuracy_in_per_cent() -> None:
    assert [word for _, word in percent_axis(9).ticks] == ["0%", "50%", "100%"]


def test_a_band_is_drawn_as_one_zigzag() -> None:
    assert band_points([(1, 0, 2), (2, 1, 3), (3, 1, 1)]) == [(1, 0), (1, 2), (2, 3), (2, 1), (3, 1)]
