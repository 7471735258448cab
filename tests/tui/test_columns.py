"""Columns: smoothing piece by piece, reduction to buckets that stay, gaps, values at a step."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.tui.charts.columns import HALF_LIVES, Curve, Smoother, at_step, reduce, thin


def averaged(half_life: float, steps: list[float], values: list[float]) -> list[float]:
    """The same average one point after the other."""
    total = weight = 0.0
    last = 0.0
    found = []
    for step, value in zip(steps, values, strict=True):
        if not math.isfinite(value):
            found.append(math.nan)
            continue
        decay = 0.5 ** (max(step - last, 1) / half_life)
        total, weight, last = decay * total + (1 - decay) * value, decay * weight + (1 - decay), step
        found.append(total / weight)
    return found


@given(
    st.lists(st.tuples(st.integers(1, 400), st.one_of(st.just(math.nan), st.floats(-10, 10))), max_size=120),
    st.floats(0.5, 3000),
    st.integers(1, 40),
)
def test_smoothing_in_pieces_is_the_plain_recursion(
    points: list[tuple[int, float]], half_life: float, piece: int
) -> None:
    steps = np.cumsum([float(stride) for stride, _ in points])
    values = np.array([value for _, value in points], float)
    smoother = Smoother(half_life)
    found = [smoother.extend(steps[i : i + piece], values[i : i + piece]) for i in range(0, len(points), piece)]
    expected = averaged(half_life, steps.tolist(), values.tolist())
    np.testing.assert_allclose(np.concatenate([*found, []]), expected, rtol=1e-9, atol=1e-9)


def test_no_smoothing_is_the_raw_curve_and_more_is_calmer() -> None:
    curve = Curve(array("d", range(1, 1001)), 1000)
    for step in range(1000):
        curve.add(1.0 if step % 2 else 0.0)
    assert curve.smoothed(0) == curve.values
    spread = [float(np.std(curve.smoothed(level)[500:])) for level in range(len(HALF_LIVES))]
    assert spread == sorted(spread, reverse=True)
    assert curve.latest() == pytest.approx(0.5, abs=0.05)


def test_a_curve_goes_on_smoothing_where_it_was() -> None:
    steps, once, whole = array("d"), Curve(array("d"), 300), Curve(array("d", range(1, 301)), 300)
    once.steps = steps
    for step in range(1, 301):
        steps.append(step)
        once.add(math.sin(step))
        whole.add(math.sin(step))
        once.smoothed()
    np.testing.assert_allclose(once.smoothed(), whole.smoothed())


def test_what_is_not_finite_is_a_gap() -> None:
    curve = Curve(array("d", [1, 2, 3, 4]), 4)
    for value in (1.0, math.inf, math.nan, 2.0):
        curve.add(value)
    assert [math.isnan(v) for v in curve.values] == [False, True, True, False]
    assert [math.isnan(v) for v in curve.smoothed()] == [False, True, True, False]
    assert math.isnan(Curve(array("d")).latest())


def test_a_million_points_become_few_and_keep_their_extremes() -> None:
    steps = array("d", np.arange(1.0, 1_000_001).tobytes())
    noise = np.random.default_rng(0).normal(size=1_000_000)
    noise[777_777], noise[123_456] = 99.0, -99.0
    x, y = reduce(steps, array("d", noise.tobytes()), 0, 1_000_000, 320)
    assert len(x) == len(y) <= 640
    assert (y.max(), y.min()) == (99.0, -99.0)
    assert abs(x[y.argmax()] - 777_777) < 1_000_000 / 160
    x, y = thin(steps, array("d", noise.tobytes()), 0, 1_000_000, 320)
    assert len(x) <= 320 and y[-1] == noise[-1]


def test_zooming_in_shows_the_points_themselves() -> None:
    steps = array("d", range(10_000))
    values = array("d", (step * 2.0 for step in range(10_000)))
    x, y = reduce(steps, values, 5000, 5020, 300)
    assert x.tolist() == list(range(4999, 5022))
    assert y.tolist() == [2 * step for step in x]


def test_old_buckets_stay_when_a_curve_grows() -> None:
    values = np.random.default_rng(1).normal(size=5000)
    before, after = (
        reduce(array("d", range(count)), array("d", values[:count].tobytes()), 0, 8192, 256) for count in (4000, 5000)
    )
    kept = len(before[0]) - 2  # the last bucket was not full
    np.testing.assert_array_equal(before[0][:kept], after[0][:kept])
    np.testing.assert_array_equal(before[1][:kept], after[1][:kept])


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=False, width=32), max_size=300),
    st.floats(-10, 500),
    st.floats(0, 500),
    st.integers(1, 50),
)
def test_any_window_of_any_values_can_be_reduced(values: list[float], low: float, span: float, count: int) -> None:
    steps, column = array("d", range(1, len(values) + 1)), array("d", values)
    for x, y in (reduce(steps, column, low, low + span, count), thin(steps, column, low, low + span, count)):
        assert len(x) == len(y)
        assert all(a <= b for a, b in pairwise(x))
    x, y = reduce(steps, column, 0, len(values), count)
    finite = [v for v in values if math.isfinite(v)]
    if finite:
        assert (np.nanmin(y), np.nanmax(y)) == (min(finite), max(finite))
    assert bool(np.isnan(y).any()) == any(map(math.isnan, values))


def test_the_value_at_a_step_is_the_last_one_up_to_it() -> None:
    steps, values = [10.0, 20.0, 30.0], [1.0, 2.0, 3.0]
    assert [at_step(steps, values, step) for step in (10, 19.9, 25, 99)] == [1.0, 1.0, 2.0, 3.0]
    assert math.isnan(at_step(steps, values, 9))
    assert at_step(steps, values[:2], 99) == 2.0
