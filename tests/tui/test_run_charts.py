"""The charts of the Run screen: keys, mouse, small and large, and how little is sent when a run goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate
from textual.geometry import Region
from textual.strip import Strip

from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, history, started, trained, written
from tests.tui.test_compose import TestPilot
from tests.tui.test_run import head
from tests.waiting import at_rest, until
from workbench.events import to_json
from workbench.format import percent
from workbench.recipe import Recipe
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import pin
from workbench.tui.app.workbench import Workbench
from workbench.tui.charts.widgets import PlotView
from workbench.tui.common.widgets import Line, Pane
from workbench.tui.compat.updates import CroppedUpdate, Shown
from workbench.tui.run.charts import RunCharts


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe) -> RunDirectory:
    return written(tmp_path / "runs" / "other", recipe, history(until=150))


def charts(pilot: TestPilot) -> RunCharts:
    return pilot.app.screen.query_one(RunCharts)


def axis(pilot: TestPilot) -> str:
    return pilot.app.screen.query_one("#axis", Line).plain


async def ready(pilot: TestPilot) -> None:
    app = pilot.app
    assert isinstance(app, Workbench)
    await until(pilot, lambda: "step 150" in head(app))
    await pilot.pause()


def seen(pilot: TestPilot) -> list[str]:
    return [chart.plot_shown.title for chart in charts(pilot).in_view if chart.plot_shown and chart.size]


async def test_two_charts_at_a_time_on_a_small_terminal_and_all_on_a_large_one(
    make_app: AppFactory, run: RunDirectory
) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        pages = []
        for _ in range(4):
            pages.append(seen(pilot))
            await pilot.press("v")
            await pilot.pause()
        assert pages == [
            ["Loss", "Accuracy"], ["Learning rate", "Throughput"], ["CPU", "Memory"], ["Loss", "Accuracy"],
        ]  # fmt: skip
        await pilot.resize_terminal(160, 48)
        await until(pilot, lambda: len(seen(pilot)) == 6)
        assert charts(pilot).charts[0].size.area > 2 * charts(pilot).charts[3].size.area


async def test_the_cursor_reads_every_chart_and_escape_hides_it(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        await pilot.press("left")
        assert "at step 150 · epoch 6.52 · 0:19" in axis(pilot)
        await pilot.press("left", "left")
        assert "at step 140" in axis(pilot)
        loss, accuracy, rate, *_ = (chart.words for chart in charts(pilot).charts)
        assert f"raw {trained(140).loss:.5f}" in loss and "test 0.19922" in loss
        assert f"raw {percent(trained(140).accuracy)}" in accuracy
        assert f"{trained(140).learning_rate:.6g}" in rate
        assert "┊" in charts(pilot).charts[0].text
        await pilot.press("right", "escape")
        assert "at step" not in axis(pilot) and "┊" not in charts(pilot).charts[0].text


async def test_zoom_pan_and_back_by_key(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        viewport = charts(pilot).viewport
        whole = charts(pilot).charts[0].text
        await pilot.press("plus", "equals_sign")
        assert "zoomed" in axis(pilot) and not viewport.whole and charts(pilot).charts[0].text != whole
        following = viewport.following
        await pilot.press("shift+left", "shift+left")
        assert following and not viewport.following
        await pilot.press("minus", "minus", "minus")
        assert viewport.whole
        await pilot.press("plus", "0")
        assert viewport.whole and charts(pilot).charts[0].text == whole


async def test_smoothing_units_and_scale_by_key(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert axis(pilot) == "x: epochs   smoothing: 4 of 7"
        await pilot.press("full_stop")
        assert "smoothing: 5 of 7" in axis(pilot)
        await pilot.press(*["comma"] * 9)
        assert "smoothing: none" in axis(pilot)
        await pilot.press("x")
        assert "training time" in axis(pilot)
        assert "0:15" in charts(pilot).charts[0].text
        await pilot.press("x")
        assert "x: steps" in axis(pilot)
        await pilot.press("l")
        assert "log" in charts(pilot).charts[0].words
        await pilot.press("tab", "tab", "l")  # an accuracy has no logarithmic scale
        assert charts(pilot).chosen is charts(pilot).charts[1]
        assert "log" not in charts(pilot).charts[1].words and "log" in charts(pilot).charts[0].words


async def test_the_baseline_stands_behind_epoch_by_epoch(
    make_app: AppFactory, run: RunDirectory, recipe: Recipe
) -> None:
    other = written(run.path.parent / "pinned", recipe, history(until=100))
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        assert "behind" not in axis(pilot)
        pin(run.path.parent, other.name)
        await until(pilot, lambda: "behind: pinned" in axis(pilot))
        for chart in charts(pilot).charts[:2]:
            assert chart.plot_shown is not None
            behind = chart.plot_shown.series[0]
            assert (behind.name, behind.steps[-1]) == ("pinned", 100)
            assert "pinned" not in chart.words
        await pilot.press("left")
        assert "pinned" in charts(pilot).charts[0].words
        pin(run.path.parent, run.name)  # nothing stands behind itself
        await until(pilot, lambda: "behind" not in axis(pilot))


async def test_one_chart_in_full(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        room = charts(pilot).charts[1].size.width
        await pilot.press("tab", "tab", "f")
        await pilot.pause()
        assert seen(pilot) == ["Accuracy"]
        assert charts(pilot).charts[1].size.width > 1.8 * room
        assert charts(pilot).charts[1].text.count("\n") > 14
        await pilot.press("v")
        await pilot.pause()
        assert seen(pilot) == ["Learning rate"]
        await pilot.press("escape")
        await pilot.pause()
        assert seen(pilot) == ["Loss", "Accuracy"]
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert seen(pilot) == ["Loss", "Accuracy"]


async def test_the_mouse_points_zooms_drags_and_resets(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        viewport, loss = charts(pilot).viewport, charts(pilot).charts[0]
        await pilot.click(PlotView, offset=(loss.size.width // 4, 5))
        assert viewport.cursor is not None and 40 <= viewport.cursor <= 70
        assert loss.has_focus
        for _ in range(4):
            loss.post_message(_wheel(loss, loss.size.width // 4))
        await pilot.pause()
        low, high = viewport.window(_progress(pilot))
        assert high - low < 120 and low < 60 < high
        await pilot.mouse_down(PlotView, offset=(40, 5))
        await pilot.hover(PlotView, offset=(60, 5))
        await pilot.mouse_up(PlotView, offset=(60, 5))
        await pilot.pause()
        assert viewport.window(_progress(pilot))[0] < low  # dragged to the right: what is earlier comes
        await pilot.click(PlotView, offset=(40, 5), times=2)
        assert viewport.whole


def _progress(pilot: TestPilot):  # type: ignore[no-untyped-def]
    from workbench.tui.run.plots import progress_of

    assert isinstance(pilot.app, Workbench) and pilot.app.tracked is not None
    return progress_of(pilot.app.tracked.view)


def _wheel(chart: PlotView, x: int):  # type: ignore[no-untyped-def]
    from textual.events import MouseScrollUp

    return MouseScrollUp(chart, x, 5, 0, -1, 0, False, False, False)


async def test_a_point_more_sends_a_few_cells(
    make_app: AppFactory, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        sent: list[Region] = []
        refresh = PlotView.refresh

        def counted(self: PlotView, *regions: Region, **keywords: object) -> PlotView:
            sent.extend(regions or [self.size.region])
            return refresh(self, *regions, **keywords)  # type: ignore[arg-type]

        monkeypatch.setattr(PlotView, "refresh", counted)
        assert await at_rest(pilot, sent)
        with run.events_file.open("a") as file:
            file.write(to_json(trained(155)) + "\n")
        await until(pilot, lambda: "step 155" in head(app))
        await pilot.pause()
        assert 0 < sum(region.area for region in sent) < 120


async def test_the_fit_stands_among_the_checks(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        text = app.screen.query_one("#checks", Pane).text.plain
        assert "fit  training 97.6, test 94.9 %" in text
        assert text.index("initial loss") < text.index("fit") < text.index("input statistics")


async def test_without_braille_nothing_but_ascii(
    make_app: AppFactory, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.tui.common.palette import Palette

    monkeypatch.setattr(Workbench, "palette", Palette(ascii=True))
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        await pilot.press("left")
        for chart in charts(pilot).charts:
            assert chart.text.isascii() and chart.words.isascii()
        assert "o" in charts(pilot).charts[0].text and ":" in charts(pilot).charts[0].text


def rendered(
    strips: list[dict[int, Strip]], spans: list[tuple[int, int, int]], ends: list[list[int]], shown: Shown
) -> str:
    return CroppedUpdate.of(ChopsUpdate(strips, spans, ends), shown).render_segments(Console(width=30))


def test_an_update_begins_where_the_change_begins() -> None:
    strips = [{0: Strip.blank(10), 10: Strip.blank(10).join([Strip.blank(20)])}]
    text = rendered(strips, [(0, 15, 18), (0, 4, 12)], [[10, 30]], Shown())
    assert text == "\x1b[1;16H" + " " * 3 + "\x1b[1;5H" + " " * 6 + "\x1b[1;11H" + " " * 2


def test_what_stands_there_already_is_not_sent_again() -> None:
    def line(text: str) -> list[dict[int, Strip]]:
        return [{0: Strip([Segment(text)])}]

    shown = Shown()
    assert rendered(line("one"), [(0, 0, 3)], [[3]], shown) == "\x1b[1;1Hone"
    assert rendered(line("one"), [(0, 0, 3)], [[3]], shown) == ""
    assert rendered(line("two"), [(0, 0, 3)], [[3]], shown) == "\x1b[1;1Htwo"
    assert rendered(line("one"), [(0, 0, 3)], [[3]], shown) == "\x1b[1;1Hone"
    assert rendered(line("xno"), [(0, 1, 3)], [[3]], shown) == "\x1b[1;2Hno"  # over a part of it
    assert rendered(line("one"), [(0, 0, 3)], [[3]], shown) == "\x1b[1;1Hone"
    shown.forget()
    assert rendered(line("one"), [(0, 0, 3)], [[3]], shown) == "\x1b[1;1Hone"


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(1, 9), st.text("ab ", min_size=10, max_size=10)),
        max_size=12,
    )
)
def test_a_terminal_shows_what_was_painted_last(paints: list[tuple[int, int, int, str]]) -> None:
    """Whatever was left out of what was sent."""
    shown, terminal, meant = Shown(), [[" "] * 10, [" "] * 10], [[" "] * 10, [" "] * 10]
    for y, start, width, text in paints:
        end = min(10, start + width)
        strips = [{0: Strip([Segment(text)])} for _ in range(2)]
        for row, column, sent in re.findall(
            r"\x1b\[(\d+);(\d+)H([^\x1b]*)", rendered(strips, [(y, start, end)], [[10], [10]], shown)
        ):
            first = int(column) - 1
            terminal[int(row) - 1][first : first + len(sent)] = sent
        meant[y][start:end] = text[start:end]
    assert terminal == meant


async def test_a_run_without_points_has_no_figures_of_another(
    make_app: AppFactory, run: RunDirectory, tmp_path: Path, recipe: Recipe
) -> None:
    other = written(tmp_path / "runs" / "20261120-142502-small-3f9d", recipe, [started()])
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: any("Loss" in title for title in seen(pilot)))
        app.watch_run(other)
        await until(pilot, lambda: app.tracked is not None and app.tracked.view.started is not None)
        await pilot.pause(0.3)
        assert seen(pilot) == []


async def test_the_line_below_the_charts_follows_the_mouse_at_once(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run, now=lambda: NOW - 70)
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        app._timer.stop()  # no turn of the app brings it
        await pilot.click(PlotView, offset=(40, 5))
        await pilot.pause()
        pointed_at = axis(pilot)
        assert pointed_at.startswith("at ")
        await pilot.click(PlotView, offset=(30, 5))
        await pilot.pause()
        assert axis(pilot).startswith("at ") and axis(pilot) != pointed_at
