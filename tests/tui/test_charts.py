"""Charts: axes that stand still, gaps where a value is not finite."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.tui.charts import Axis, Layer, draw, log_axis, logarithm, nice_ticks, percent_axis, span_axis, zero_axis

GREY = (100, 100, 100)
BLUE = (10, 20, 250)


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n")


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


def test_an_axis_from_zero_moves_only_by_doubling() -> None:
    assert zero_axis([2.31, 0.1], 10).high == 2.5
    assert zero_axis([2.6], 10).high == 5
    assert zero_axis([math.nan, math.inf], 10).high == 2.5
    assert zero_axis([0.0], 10).high == 2.5
    assert {zero_axis([v / 10], 10).high for v in range(10, 100)} == {1.25, 2.5, 5.0, 10.0}
    assert zero_axis([0.05], 10).high == pytest.approx(0.078125)


@given(st.lists(st.floats(-1e9, 1e9), max_size=20))
def test_an_axis_of_what_is_there_holds_it_with_little_around(values: list[float]) -> None:
    axis = span_axis(values, 10)
    assert axis.low < axis.high
    if values:
        assert axis.low <= min(values) and max(values) <= axis.high
        if max(values) - min(values) > 1e-6 * max(map(abs, values)):
            assert axis.high - axis.low <= 2 * (max(values) - min(values))


@pytest.mark.parametrize(("low", "high", "count"), [(0, 1, 3), (0, 0.05, 4), (0, 230, 5), (0, 1e9, 2), (3, 3, 4)])
def test_ticks_are_round_and_few(low: float, high: float, count: int) -> None:
    ticks = nice_ticks(low, high, count)
    assert ticks[0] == low
    assert len(ticks) <= count + 1
    assert all(low <= t <= high * (1 + 1e-9) for t in ticks)


def test_accuracy_in_per_cent() -> None:
    assert [word for _, word in percent_axis(9).ticks] == ["0%", "50%", "100%"]


def test_ascii_charts_have_nothing_but_ascii() -> None:
    points = [(x, 0.5 + 0.4 * math.sin(x / 9)) for x in range(100)]
    layers = [Layer(points, GREY, faint=True), Layer(points[::7], BLUE, mark="◆"), Layer(points, BLUE)]
    layers.append(Layer(points[::9], BLUE, mark="▲"))
    text = draw(layers, Axis(0, 100, [(0, "0")]), percent_axis(10), 60, 12, GREY, cursor=50, ascii=True)
    assert text.isascii()
    assert {"*", "^", "|", "+", "-", ":"} <= set("".join(plain(text)))


def test_a_cursor_stands_in_every_empty_cell_of_its_column() -> None:
    lines = plain(draw([Layer([(0, 0.5), (100, 0.5)], BLUE)], Axis(0, 100), Axis(0, 1), 60, 12, GREY, cursor=100.0))
    assert [line[59:60] for line in lines[:10]].count("┊") == 9


def test_a_curve_on_top_is_not_mixed_with_the_one_below() -> None:
    noise = [(x, x % 2) for x in range(100)]
    lines = plain(draw([Layer(noise, GREY), Layer([(0, 0.5), (99, 0.5)], BLUE)], Axis(0, 99), Axis(0, 1), 40, 8, GREY))
    row = next(line for line in lines if "⠤⠤⠤" in line or "⠒⠒⠒" in line or "⠉⠉⠉" in line or "⣀⣀⣀" in line)
    assert len(set(row[1:30])) == 1
