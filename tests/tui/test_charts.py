"""Charts: axes that stand still, gaps where a value is not finite."""

from __future__ import annotations

import math
import re
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.format import percent
from workbench.tui.charts import engine, plotext_numpy
from workbench.tui.charts.drawing import (
    LEAST,
    Axis,
    Label,
    Layer,
    apart,
    draw,
    log_axis,
    logarithm,
    nice_ticks,
    span_axis,
    zero_axis,
)
from workbench.tui.charts.engine import Rows, Stroke, paint
from workbench.tui.charts.plot import fitted_axis

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each braille dot: column, then row from the top."""

GREY = (100, 100, 100)
BLUE = (10, 20, 250)


def percent_axis(height: int) -> Axis:
    """As a run's accuracy has it."""
    return fitted_axis((0.0, 1.0), height, partial(percent, digits=0), 1.0)


def plain(rows: Rows) -> list[str]:
    return engine.plain(rows).split("\n")


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=60),
    st.integers(0, 90),
    st.integers(0, 30),
)
def test_nothing_that_a_run_may_say_breaks_a_chart(points: list[tuple[float, float]], width: int, height: int) -> None:
    layers = [Layer(points, BLUE), Layer(points, GREY, mark="◆"), Layer(logarithm(points), GREY)]
    rows = draw(layers, Axis(0, 10), Axis(0, 1), width, height, GREY)
    assert rows == [] or len(rows) == height
    assert all(sum(len(text) for text, _ in row) == width for row in rows)


def test_a_chart_has_the_size_that_it_was_asked_for_whatever_the_terminal() -> None:
    points = [(x, x / 400) for x in range(400)]
    for width, height in [(200, 60), (30, 8)]:
        lines = plain(draw([Layer(points, BLUE)], Axis(0, 400), Axis(0, 1), width, height, GREY))
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        assert sum("⠀" < c <= "⣿" for line in lines for c in line) > width / 2


def dots(rows: Rows, left: int) -> set[tuple[int, int]]:
    """The braille dots of a chart without a frame's words, from the top left of its curves."""
    found = set()
    for row, line in enumerate(plain(rows)):
        for column, cell in enumerate(line[left:]):
            bits = ord(cell) - 0x2800 if "\u2800" < cell <= "\u28ff" else 0
            places = ((x, y) for x, across in enumerate(DOTS) for y, bit in enumerate(across) if bits & bit)
            found |= {(2 * column + x, 4 * row + y) for x, y in places}
    return found


@given(st.lists(st.floats(-3, 4) | st.just(math.nan), min_size=2, max_size=12), st.floats(-1, 12), st.floats(1, 12))
def test_every_dot_lies_on_the_curve(values: list[float], low: float, span: float) -> None:
    """Where the curve is beyond the axes nothing is drawn, at their edges neither."""
    points = [(float(x), value) for x, value in enumerate(values)]
    x = Axis(low, low + span, [(low, "low")])
    text = draw([Layer(points, BLUE)], x, Axis(0, 1), 61, 12, GREY)
    across, down = 120, 40
    for column, row in dots(text, 1):
        near = [
            low + span * (column + shift) / (across - 1) for shift in (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
        ]
        near += [px for px, _ in points if near[0] <= px <= near[-1]]
        heights = [v for v in (at(points, place) for place in near) if v is not None]
        assert heights, (column, row)
        slack = 1.6 / (down - 1)  # plotext rounds the ends of a line to dots, and cuts what lies between
        assert min(heights) - slack <= 1 - row / (down - 1) <= max(heights) + slack


def at(points: list[tuple[float, float]], place: float) -> float | None:
    """The curve's value at a place; None where there is no curve."""
    for (a, u), (b, v) in pairwise(points):
        if a <= place <= b:
            if math.isfinite(u) and math.isfinite(v):
                return u + (v - u) * (place - a) / (b - a)
            if place in (a, b) and math.isfinite(u if place == a else v):
                return u if place == a else v
    return None


def test_what_lies_beyond_an_axis_is_not_drawn_at_its_edge() -> None:
    above = [(0.0, 7.0), (1.0, 9.0)]
    text = draw([Layer(above, BLUE), Layer(above, BLUE, mark="◆")], Axis(0, 1), Axis(0, 1), 40, 10, GREY)
    assert dots(text, 1) == set() and "◆" not in engine.plain(text)
    edge = draw([Layer([(0.0, 1.0), (1.0, 0.0)], BLUE, mark="◆")], Axis(0, 1), Axis(0, 1), 40, 10, GREY)
    assert engine.plain(edge).count("◆") == 2  # on the edge is within
    crossing = draw([Layer([(0.0, 0.0), (1.0, 4.0)], BLUE)], Axis(0, 1), Axis(0, 1), 41, 10, GREY)
    assert max(x for x, _ in dots(crossing, 1)) == pytest.approx(79 / 4, abs=1)


def test_a_value_of_zero_leaves_a_logarithmic_chart_downwards() -> None:
    points = logarithm([(0.0, 1.0), (1.0, 0.1), (2.0, 0.0), (3.0, 0.1), (4.0, 1.0)])
    found = dots(draw([Layer(points, BLUE)], Axis(0, 4), Axis(-2, 0), 81, 12, GREY), 1)
    columns = {x for x, _ in found}
    assert {39, 40} <= columns and not columns & set(range(46, 114))  # from epoch 1 down, up again at epoch 3


def test_values_below_zero_have_their_place() -> None:
    axis = zero_axis([-0.3, 2.0], 10)
    assert axis.low == pytest.approx(-0.3125) and axis.high == 2.5
    assert zero_axis([-3.0], 10).high == 0 and zero_axis([-3.0], 10).low == -5
    assert log_axis([1.7e308, 5e-324], 10).low < log_axis([1.7e308, 5e-324], 10).high


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
@example([0.0, 5e-324])
@example([5e-324, -9.0])
def test_an_axis_of_what_is_there_holds_it_with_little_around(values: list[float]) -> None:
    axis = span_axis(values, 10)
    assert axis.low < axis.high
    if values := [value if abs(value) > LEAST else 0.0 for value in values]:
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
    assert [word for _, word in percent_axis(9).ticks] == ["0 %", "50 %", "100 %"]


def test_ascii_charts_have_nothing_but_ascii() -> None:
    points = [(x, 0.5 + 0.4 * math.sin(x / 9)) for x in range(100)]
    layers = [Layer(points, GREY, faint=True), Layer(points[::7], BLUE, mark="◆"), Layer(points, BLUE)]
    layers.append(Layer(points[::9], BLUE, mark="▲"))
    text = draw(layers, Axis(0, 100, [(0, "0")]), percent_axis(10), 60, 12, GREY, cursor=50, ascii=True)
    assert engine.plain(text).isascii()
    assert {"*", "^", "|", "+", "-", ":"} <= set("".join(plain(text)))


def test_a_cursor_stands_in_every_empty_cell_of_its_column() -> None:
    lines = plain(draw([Layer([(0, 0.5), (100, 0.5)], BLUE)], Axis(0, 100), Axis(0, 1), 60, 12, GREY, cursor=100.0))
    assert [line[59:60] for line in lines[:10]].count("┊") == 9


def test_a_curve_on_top_is_not_mixed_with_the_one_below() -> None:
    noise = [(x, x % 2) for x in range(100)]
    lines = plain(draw([Layer(noise, GREY), Layer([(0, 0.5), (99, 0.5)], BLUE)], Axis(0, 99), Axis(0, 1), 40, 8, GREY))
    row = next(line for line in lines if "⠤⠤⠤" in line or "⠒⠒⠒" in line or "⠉⠉⠉" in line or "⣀⣀⣀" in line)
    assert len(set(row[1:30])) == 1


def curve(width: int) -> list[tuple[float, float]]:
    return [(x / width, 0.5 + 0.4 * math.sin(x / 9)) for x in range(width + 1)]


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=40), min_size=1, max_size=4),
    st.integers(14, 100),
    st.integers(4, 30),
    st.booleans(),
)
def test_what_numpy_computes_for_plotext_is_what_plotext_computes(
    curves: list[list[float]], width: int, height: int, ascii: bool
) -> None:
    layers = [Layer([(n / len(c), v) for n, v in enumerate(c)], number) for number, c in enumerate(curves)]
    layers.append(Layer([(0.5, v) for v in curves[0]], 7, mark="▲"))

    def drawn() -> Rows:
        x = Axis(0, 1, [(0.5, "half")])
        return draw(layers, x, percent_axis(height), width, height, 8, cursor=0.4, ascii=ascii)

    fast = drawn()
    assert plotext_numpy._own, "another plotext than the one that the functions are for"
    plotext_numpy.uninstall()
    try:
        assert drawn() == fast
    finally:
        assert plotext_numpy.install()


def test_curves_that_coincide_are_all_to_be_seen() -> None:
    x, y = Axis(0, 1, [(0, "0")]), Axis(0, 1)
    same = [Layer(curve(100), number) for number in (1, 2, 3)]
    colours = [colour for row in draw(apart(same, x, y, 62, 12), x, y, 62, 12, 8) for _, colour in row]
    assert {1, 2, 3} <= set(colours)
    seen = [colours.count(number) for number in (1, 2, 3)]
    assert min(seen) > 0.5 * max(seen)
    crossing = [Layer([(0, 0), (1, 1)], 1), Layer([(0, 1), (1, 0)], 2)]
    assert apart(crossing, x, y, 62, 12) == crossing
    half = [Layer([(0, 0.5), (0.5, 0.5), (1, 1)], 1), Layer([(0, 0.5), (0.5, 0.5), (1, 0)], 2)]
    rows = draw(apart(half, x, y, 62, 12), x, y, 62, 12, 8)
    assert plain(rows)[0].rstrip()[-1] != "│" and plain(rows)[-3].rstrip()[-1] != "│"  # where they part, both are whole


def test_the_last_tick_says_what_an_axis_counts() -> None:
    x = Axis(0, 10, [(t, str(t)) for t in range(11)], "epochs")
    for width in (20, 40, 79):
        lines = plain(draw([Layer(curve(10), BLUE)], x, Axis(0, 1, [(0, "0")]), width, 8, GREY))
        assert lines[-1].split()[-2:] == ["10", "epochs"] and len(lines[-1]) <= width
        assert lines[-1].split()[0] == "0"


def test_labels_stand_beside_their_points_and_not_over_each_other() -> None:
    labels = [Label((place, 1.0), "↑5.10", BLUE) for place in (0.0, 0.02, 0.5, 1.0)]
    first, *_ = plain(draw([], Axis(0, 1, [(0, "0")]), Axis(0, 1, [(1, "1")]), 60, 8, GREY, labels=labels))
    assert first.count("↑5.10") == 3 and len(first) < 60


def test_many_lines_cover_what_each_covers_alone() -> None:
    parts = [[(0.0, 0.1), (0.2, 0.9)], [(0.3, 0.5)], [(0.4, 0.8), (0.6, 0.2), (0.9, 0.2)]]

    def dots(strokes: list[list[tuple[float, float]]], marker: str) -> set[tuple[int, int]]:
        """The dots, or in ASCII the cells, that are covered, in dots from the upper left."""
        rows = plain(paint([Stroke(part, (1, 2, 3), marker) for part in strokes], [], [], [], 40, 12, (0, 0, 0)))
        found = set()
        for row, line in enumerate(rows):
            for column, sign in enumerate(line):
                bits = ord(sign) - 0x2800 if "\u2800" <= sign <= "\u28ff" else 0xFF if sign == marker else 0
                for dot, (right, down) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]):
                    if bits >> dot & 1:
                        found.add((2 * column + right, 4 * row + down))
        return found

    for marker, slack in (("braille", 1), ("*", 4)):  # plotext cuts where this rounds
        alone = set().union(*(dots([part], marker) for part in parts))
        together = dots(parts, marker)
        assert len(alone) > 30
        for some, others in ((together, alone), (alone, together)):
            assert all(any(abs(x - a) <= slack and abs(y - b) <= slack for a, b in others) for x, y in some)
