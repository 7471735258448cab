"""The common axis of a run's charts: zoom, pan, cursor, units, and a window that follows by jumps."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest

from workbench.tui.charts.viewport import UNITS, Progress, Viewport, short

STEPS = array("d", range(10, 4001, 10))
RUN = Progress(STEPS, array("d", (step / 20 for step in STEPS)), total=6400, epoch=100, newest=4000)


def test_the_whole_run_grows_by_doubling() -> None:
    ends = [Viewport().window(replace(RUN, newest=newest))[1] for newest in range(0, 6401, 10)]
    assert sorted(set(ends)) == [100, 200, 400, 800, 1600, 3200, 6400]
    assert ends == sorted(ends)


def test_zooming_goes_around_the_end_until_there_is_a_cursor() -> None:
    view = Viewport()
    view.zoom(0.5, RUN)
    low, high = view.window(RUN)
    assert high - low == 3200 and low < 4000 <= high and not view.whole
    view.reset()
    view.cursor = 1000.0
    for _ in range(4):
        view.zoom(0.5, RUN)
    low, high = view.window(RUN)
    assert high - low == 400 and low < 1000 < high
    assert (1000 - low) / (high - low) == pytest.approx(1000 / 6400)  # the cursor stays where it was on the screen
    for _ in range(4):
        view.zoom(2, RUN)
    assert view.whole and view.following


def test_zooming_in_ends_at_a_few_steps() -> None:
    view = Viewport()
    for _ in range(40):
        view.zoom(0.5, RUN, about=1000)
    low, high = view.window(RUN)
    assert high - low == pytest.approx(4) and low <= 1000 <= high


def test_panning_stays_within_the_run() -> None:
    view = Viewport()
    view.pan(-0.5, RUN)
    assert view.whole
    view.zoom(0.125, RUN, about=3000)
    for _ in range(20):
        view.pan(-0.25, RUN)
    assert view.window(RUN) == (0, 800) and not view.following
    for _ in range(40):
        view.pan(0.25, RUN)
    assert view.window(RUN) == (5600, 6400) and view.following


def test_a_window_at_the_end_follows_by_eighths_and_one_elsewhere_stays() -> None:
    view = Viewport()
    view.zoom(0.125, RUN, about=4000)
    low, high = view.window(RUN)
    assert low <= 4000 <= high
    ends = {view.window(replace(RUN, newest=newest))[1] for newest in range(4000, 6400, 5)}
    assert len(ends) <= 2 + 2400 / 100  # 800 steps wide: it moves by 100
    view.zoom(0.5, replace(RUN, newest=6400), about=5000)
    view.pan(-1, replace(RUN, newest=6400))
    before = view.window(replace(RUN, newest=6400))
    assert view.window(replace(RUN, newest=6400)) == before


def test_the_cursor_appears_at_the_newest_point_and_moves_over_logged_steps() -> None:
    view = Viewport()
    view.move(-1, 80, RUN)
    assert view.cursor == 4000
    view.move(-1, 80, RUN)
    assert view.cursor is not None and view.cursor < 4000 and view.cursor in STEPS
    view.zoom(0.001, RUN)
    before = view.cursor
    view.move(1, 80, RUN)
    assert view.cursor == before + 10  # zoomed in: the next point
    for _ in range(3):
        view.move(1, 80, RUN)
    low, high = view.window(RUN)
    assert low <= view.cursor <= high  # the window comes along
    view.put(123.0, RUN)
    assert view.cursor == 120
    for _ in range(500):
        view.move(1, 1, RUN)
    assert view.cursor == 4000


def test_a_run_without_points_has_nothing_to_point_at() -> None:
    empty, view = Progress(), Viewport()
    view.move(1, 80, empty)
    view.put(3, empty)
    view.zoom(0.5, empty)
    assert view.cursor is None
    for unit in UNITS:
        view.unit = unit
        assert view.axis(empty, 80).low < view.axis(empty, 80).high


def test_units_of_the_axis() -> None:
    view = Viewport()
    found = {}
    for _ in range(3):
        axis = view.axis(RUN, 80)
        found[view.unit] = axis.high, [word for _, word in axis.ticks]
        view.next_unit()
    assert view.unit == "epoch"
    assert found["epoch"][0] == 64 and "10" in found["epoch"][1]
    assert found["step"][0] == 6400 and "2000" in found["step"][1]
    assert found["time"][0] == pytest.approx(320, abs=20) and "1:00" in found["time"][1]
    assert view.where(2000, RUN) == "step 2,000 · epoch 20.00 · 1:40"


def test_pauses_and_slow_parts_are_as_wide_as_they_took() -> None:
    slow = Progress([100, 200], [10, 1000], total=200, epoch=100, newest=200)
    view = Viewport(unit="time")
    assert view.places(np.array([100.0, 150.0, 200.0]), slow).tolist() == [10, 505, 1000]
    assert view.step_at(0.5, slow) == pytest.approx(150, abs=5)


def test_the_place_under_the_pointer() -> None:
    assert Viewport().step_at(0.25, RUN) == pytest.approx(1600, rel=1e-3)


def test_smoothing_has_two_ends() -> None:
    view = Viewport()
    for _ in range(20):
        view.smooth(1)
    strongest = view.smoothing
    for _ in range(20):
        view.smooth(-1)
    assert view.smoothing == 0 < 4 < strongest


def test_short_numbers() -> None:
    assert [short(v) for v in (0.25, 2000, 20_000, 1.5e6)] == ["0.25", "2000", "20k", "1.5M"]
