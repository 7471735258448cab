"""What the Runs screen draws, without the screen: curves, looks, axes, columns."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.tui.fakes import NOW, evaluated, started, trained
from tests.tui.many_runs import many_runs
from workbench.events import Resumed, to_json
from workbench.runs.catalog import Catalog
from workbench.runs.directory import RunDirectory
from workbench.tui.charts import Palette
from workbench.tui.overlay import LOOKS, Selection, entering, loss_axis, marked, overlay_drawing, share_axis
from workbench.tui.run_columns import COLUMNS, Context, cells, fitting
from workbench.tui.run_curves import METRICS, XS, CurveReader


def append(run: RunDirectory, *events: object) -> None:
    run.path.mkdir(exist_ok=True)
    with run.events_file.open("a") as file:
        file.writelines(to_json(event) + "\n" for event in events)  # type: ignore[arg-type]


def test_curves_grow_with_the_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    reader = CurveReader(run)
    assert reader.read().points("test accuracy", "epoch") == []
    append(run, started(), trained(23), evaluated(23), trained(46), evaluated(46))
    curves = reader.read()
    assert [x for x, _ in curves.points("test accuracy", "epoch")] == [1, 2]
    assert [x for x, _ in curves.points("test loss", "step")] == [23, 46]
    assert [x for x, _ in curves.points("test loss", "time")] == pytest.approx([23 / 8, 46 / 8], rel=0.05)
    assert len(curves.points("training loss", "step")) == 2
    assert reader.read() is curves  # nothing new
    append(run, trained(69, loss=math.nan), evaluated(69))
    assert len(reader.read().points("test loss", "step")) == 3
    append(run, Resumed(step=46), trained(60))
    assert [x for x, _ in reader.read().points("test loss", "step")] == [23, 46]  # what came after was withdrawn


def test_looks_can_be_told_apart_on_dark_and_on_light() -> None:
    def luminance(colour: tuple[float, ...]) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    assert len({look.mark for look in LOOKS}) == len({look.colour for look in LOOKS}) == len(LOOKS)
    for look in LOOKS:
        for background in ((0x0F, 0x13, 0x18), (255, 255, 255)):
            dark, light = sorted((luminance(look.colour), luminance(background)))
            assert (light + 0.05) / (dark + 0.05) >= 3, look


def test_a_run_keeps_its_look_while_others_come_and_go() -> None:
    selection = Selection()
    names = [f"run-{number}" for number in range(len(LOOKS))]
    assert all(selection.toggle(name) for name in names)
    assert len(set(selection.looks.values())) == len(LOOKS)
    assert not selection.toggle("one too many")
    kept = selection.looks[names[3]]
    selection.toggle(names[0])
    assert selection.toggle("another") and selection.looks[names[3]] == kept
    selection.keep([names[3]])
    assert selection.looks == {names[3]: kept}
    alone = Selection()
    alone.toggle("run-5")
    again = Selection()
    again.toggle("run-5")
    assert alone.looks == again.looks  # by its name, not by the order


def test_marks_do_not_hide_each_other() -> None:
    points = [(float(x), 1.0) for x in range(10)]
    places = [{x for x, _ in marked(points, 5, number, 3)} for number in range(3)]
    assert all(9.0 in found for found in places)
    assert not (places[0] & places[1]) - {9.0} and not (places[1] & places[2]) - {9.0}
    assert len(marked([(float(x), 1.0) for x in range(1000)], 10)) <= 11
    assert marked([(1.0, math.nan), (2.0, 0.5)], 5) == [(2.0, 0.5)]
    assert marked([], 5, 2, 3) == []


def test_axes_show_where_the_curves_end() -> None:
    axis = share_axis([0.94, 0.93], 10)
    assert axis.high == 1 and axis.low == pytest.approx(0.75) and all(axis.low <= t <= 1 for t, _ in axis.ticks)
    assert share_axis([0.1], 10).low == 0 and share_axis([math.nan], 10).low == 0
    climbing = [(0.0, 0.1), (1.0, 0.2), (2.0, 0.9), (3.0, 0.1), (4.0, 0.95)]
    assert entering(climbing, 0.75) == climbing[1:] and entering(climbing, 0.0) == climbing
    assert entering([], 0.5) == [] and entering([(0.0, 0.1)], 0.5) == [(0.0, 0.1)]
    losses = loss_axis([0.013, 2.3, math.nan, math.inf, 0.0], 10)
    assert 10**losses.low == pytest.approx(0.01) and 10**losses.high == pytest.approx(5)
    assert loss_axis([], 10).low < loss_axis([], 10).high


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("x", XS)
def test_every_chart_can_be_drawn(tmp_path: Path, metric: str, x: str) -> None:
    runs = many_runs(tmp_path, 2, NOW)
    append(runs[0], trained(500, loss=math.inf), trained(505, loss=math.nan))
    shown = [(CurveReader(run).read(), look) for run, look in zip(runs, LOOKS, strict=False)]
    drawing = overlay_drawing(shown, metric, x, Palette(frame=(100, 100, 100)))
    for width, height in ((78, 8), (20, 5), (5, 2)):
        text = drawing(width, height)
        assert bool(text) == (metric != "validation accuracy" and width > 5)
        assert not text or width < 30 or all(look.mark in text for _, look in shown)


def test_columns_fit_any_width(tmp_path: Path) -> None:
    many_runs(tmp_path, 8, NOW)
    entries = Catalog(tmp_path).refresh().entries
    for width in range(36, 200, 4):
        for baseline in (None, entries[0]):
            columns = fitting(width, baseline=baseline is not None)
            assert {"sign", "state", "recipe", "test"} <= {column.key for column, _ in columns}
            for entry in entries:
                row = cells(entry, columns, Context(NOW, baseline=baseline))
                assert [len(text) for text, _ in row] == [cell_width for _, cell_width in columns]
                assert sum(len(text) + 1 for text, _ in row) - 1 <= width
    assert len(fitting(300, baseline=True)) == len(COLUMNS)
