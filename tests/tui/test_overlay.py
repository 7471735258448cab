"""What the Runs screen draws, without the screen: curves, looks, axes, columns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.fakes import NOW, evaluated, started, trained
from tests.tui.many_runs import many_runs
from tests.tui.test_charts import plain
from workbench.events import Resumed, to_json
from workbench.runs.find.catalog import Catalog, Entry
from workbench.runs.find.fields import field
from workbench.runs.find.groups import grouped
from workbench.runs.find.keys import Vocabulary
from workbench.runs.find.varying import varying
from workbench.runs.store.directory import RunDirectory
from workbench.tui.charts import engine
from workbench.tui.common.palette import Palette
from workbench.tui.common.words import cut_apart, shared_out
from workbench.tui.runs.columns import Context, cells
from workbench.tui.runs.fitting import chosen, fitting, possible, sorted_in_sight
from workbench.tui.runs.lister import METRICS, XS, CurveReader, Curves
from workbench.tui.runs.overlay import LOOKS, Look, Selection, hidden, loss_axis, marked, overlay_drawing, share_axis


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
    losses = loss_axis([0.013, 2.3, math.nan, math.inf, 0.0], 10)
    assert 10**losses.low == pytest.approx(0.01) and 10**losses.high == pytest.approx(5)
    assert loss_axis([], 10).low < loss_axis([], 10).high
    tiny = loss_axis([3e-9, 4e25], 10)
    assert 10**tiny.low == pytest.approx(2e-9) and 10**tiny.high == pytest.approx(5e25)
    for value in (5e-324, 1e-300, 1.7e308):
        assert loss_axis([value], 10).low < loss_axis([value], 10).high


def climbing(tmp_path: Path, *runs: Sequence[float]) -> list[tuple[Curves, Look]]:
    """Runs with these test accuracies, one an epoch; their losses are 1 - accuracy."""
    shown = []
    for number, values in enumerate(runs):
        run = RunDirectory(tmp_path / f"run-{number}")
        found = [replace(evaluated(23 * n), accuracy=v, loss=1 - v) for n, v in enumerate(values, start=1)]
        append(run, started(), *found)
        shown.append((CurveReader(run).read(), LOOKS[number]))
    return shown


def test_no_mark_stands_where_no_value_is(tmp_path: Path) -> None:
    # 57 % is far below an axis that begins at 87.5 %: it was drawn at the axis's edge, as 93 % would be
    shown = climbing(tmp_path, [0.57, 0.93, 0.95, 0.955])
    assert share_axis([0.955], 20).low == pytest.approx(0.875)
    lines = plain(overlay_drawing(shown, "test accuracy", "epoch", Palette())(100, 20))
    assert sum(line.count(LOOKS[0].mark) for line in lines) == 3  # 93, 95 and 95.5 %
    # the line to 93 % comes into sight where it crosses 87.5 %: 1 + (87.5 - 57) / (93 - 57) epochs
    lowest = lines[17][lines[17].index("┤" if "┤" in lines[17] else "│") + 1 :]
    crossing = next(place for place, cell in enumerate(lowest) if cell != " ")
    assert crossing / len(lowest.ljust(94)) == pytest.approx((1 + 0.305 / 0.36) / 4, abs=0.015)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (([0.57, 0.95], [0.6, 0.94], [0.94, 0.95]), "2 of 3 start below 87.5 %"),
        (([0.57, 0.95], [0.94, 0.95]), "1 of 2 starts below 87.5 %"),
        (([0.57, 0.95],), "it starts below 87.5 %"),
        (([0.94, 0.5, 0.95], [0.94, 0.95]), "1 of 2 falls below 87.5 %"),
        (([0.94, 0.95], [0.94, 0.95]), ""),
        (([math.nan, 0.95], []), ""),
    ],
)
def test_what_has_no_room_is_said(tmp_path: Path, runs: tuple[list[float], ...], said: str) -> None:
    assert hidden(climbing(tmp_path, *runs), "test accuracy") == said


def test_a_loss_of_zero_is_said(tmp_path: Path) -> None:
    shown = climbing(tmp_path, [0.5, 1.0], [0.5, 0.9])
    assert hidden(shown, "test loss") == "1 of 2 reaches 0, which has no place here"
    assert hidden(shown[1:], "test loss") == ""


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("x", XS)
def test_every_chart_can_be_drawn(tmp_path: Path, metric: str, x: str) -> None:
    runs = many_runs(tmp_path, 2, NOW)
    append(runs[0], trained(500, loss=math.inf), trained(505, loss=math.nan))
    shown = [(CurveReader(run).read(), look) for run, look in zip(runs, LOOKS, strict=False)]
    drawing = overlay_drawing(shown, metric, x, Palette(frame=(100, 100, 100)))
    for width, height in ((78, 8), (20, 5), (5, 2)):
        text = engine.plain(drawing(width, height))
        assert bool(text) == (metric != "validation accuracy" and width > 5)
        assert not text or width < 30 or all(look.mark in text for _, look in shown)


def test_columns_fit_any_width(tmp_path: Path) -> None:
    many_runs(tmp_path, 20, NOW)
    entries = list(Catalog(tmp_path).refresh().entries)
    small = [entry for entry in entries if entry.recipe == "small"]
    vocabulary = Vocabulary(entry.keys for entry in entries)
    asked = [(name, field(name, vocabulary)) for name in ("learning_rate", "best", "age", "host", "cutout")]
    for rows, baseline, folded in itertools.product((entries, small), (None, entries[0]), (False, True)):
        lines = grouped(rows) if folded else rows
        differs = varying(rows)
        context = Context(NOW, baseline=baseline, usual=differs.usual)
        for known in (possible(lines, differs, context), chosen(asked, lines)):
            for width in range(44, 200, 4):
                columns = fitting(width, sorted_in_sight(known, "seed"))
                keys = {column.key for column, _ in columns}
                assert "sign" in keys and (known[1].key != "state" or {"state", "test"} <= keys)
                for entry in lines:
                    row = cells(entry, columns, context)
                    assert [len(text) for text, _ in row] == [cell_width for _, cell_width in columns]
                    assert sum(len(text) + 1 for text, _ in row) - 1 <= width


def test_only_columns_that_say_something_are_there(tmp_path: Path) -> None:
    many_runs(tmp_path, 20, NOW)
    entries = Catalog(tmp_path).refresh().entries
    small = [entry for entry in entries if entry.recipe == "small"]

    def keys(rows: Sequence[Entry], width: int = 300, baseline: Entry | None = None) -> list[str]:
        differs = varying(rows)
        found = fitting(width, possible(rows, differs, Context(NOW, baseline=baseline, usual=differs.usual)))
        return [column.key for column, _ in found]

    everything = keys(entries)
    assert "recipe" in everything and "difference" in everything and "cutout" not in everything
    assert not {"best", "device", "points", "percent"} & set(everything)  # no run has another one
    assert {"points", "percent"} <= set(keys(entries, baseline=entries[0]))
    one = keys(small)
    assert "recipe" not in one and "difference" not in one and {"cutout", "label_smoothing", "seed"} <= set(one)
    assert "difference" in keys(small, 60)  # says what has no room
    assert "seed" not in keys([entry for entry in small if entry.status and entry.status.seed == 1])


def test_what_has_no_room_is_said_of_those_that_are_not_as_most(tmp_path: Path) -> None:
    many_runs(tmp_path, 25, NOW)
    small = [entry for entry in Catalog(tmp_path).refresh().entries if entry.recipe == "small"]
    differs = varying(small)
    context = Context(NOW, usual=differs.usual)
    columns = fitting(60, possible(small, differs, context))
    (place,) = [number for number, (column, _) in enumerate(columns) if column.key == "difference"]
    assert columns[place][0].title == "also"
    shown = {columns[place][0].cell(entry, context)[0] for entry in small}
    assert "" in shown and any(words.startswith("+") for words in shown)
    assert not any("−" in words for words in shown)


def test_columns_that_were_asked_for_stand_in_that_order(tmp_path: Path) -> None:
    many_runs(tmp_path, 5, NOW)
    entries = Catalog(tmp_path).refresh().entries
    vocabulary = Vocabulary(entry.keys for entry in entries)
    columns = chosen([(name, field(name, vocabulary)) for name in ("age", "lr", "host", "acc")], entries)
    assert [column.title for column in columns] == ["", "age", "lr", "host", "test"]
    words = [column.cell(entries[0], Context(NOW))[0] for column in columns[2:4]]
    assert words == ["0.01", "box"]


def test_names_that_are_cut_still_differ() -> None:
    assert cut_apart(["+label_smoothing", "+cutout"], [12, 12]) == ["+label_smoo…", "+cutout"]
    alike = ["+label_smoothing +cutmix", "+label_smoothing +mixup", "+sam"]
    assert cut_apart(alike, [12] * 3) == ["+labe…cutmix", "+labe…+mixup", "+sam"]
    assert cut_apart(["epoch-last-1-of-it", "epoch-past-1-of-it"], [12] * 2) == ["epoch-last-…", "epoch-past-…"]
    assert cut_apart(["resnet lr 0.1 wide", "resnet lr 0.3 wide"], [9] * 2) == ["…0.1 wide", "…0.3 wide"]
    assert cut_apart(["same thing", "same thing"], [6] * 2) == ["same …"] * 2  # nothing tells them apart
    for width in range(5, 30):
        assert all(len(text) <= width for text in cut_apart(alike, [width] * 3))


def test_short_names_leave_their_room_to_the_long_ones() -> None:
    assert shared_out([16, 7, 5], 40) == [16, 7, 5]
    assert shared_out([16, 7, 5], 24) == [12, 7, 5]
    assert shared_out([30, 30, 4], 34) == [15, 15, 4]
    assert shared_out([], 10) == [] and shared_out([5, 5], -3) == [0, 0]
