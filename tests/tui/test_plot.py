"""Charts of a run without a screen: what they draw, what they write, gaps, logarithms, a GPU or none."""

from __future__ import annotations

import math
import re
from array import array

from tests.tui.fakes import NOW, history, started, trained
from workbench.events import Finished, Resumed
from workbench.runs.store.machine import Sample
from workbench.tui.charts.engine import plain
from workbench.tui.charts.plot import Plot, Series, titled
from workbench.tui.charts.viewport import Progress, Viewport
from workbench.tui.common.palette import Palette
from workbench.tui.run.plots import plots, progress_of
from workbench.tui.run.view import MOST, MachineView, RunView


def view_of(until: int = 150) -> RunView:
    view = RunView()
    view.feed(history(until))
    return view


def figures(plot: Plot, cursor: float | None = None) -> dict[str, str]:
    return {name: value for _, _, name, value, _ in plot.figures(cursor, Palette())}


def test_the_newest_figures_and_those_under_the_cursor() -> None:
    view = view_of()
    loss, accuracy, rate, pace, *_ = plots(view, 4)
    assert figures(loss) == {"train": f"{view.loss.latest():.3f}", "test": "0.136"}
    assert figures(rate) == {"rate": "0.0174"} and figures(pace) == {"": "512 img/s"}
    at = figures(loss, cursor=72.0)  # between two points: the last one before
    assert at["raw"] == f"{trained(70).loss:.5f}"
    assert at["test"] == f"{history(50)[-2].loss:.5f}"  # type: ignore[attr-defined]
    assert set(figures(accuracy, cursor=72.0)) == {"raw", "train", "test"}


def told(plot: Plot, width: int, cursor: float | None = None) -> str:
    title, figures = titled(plot.title, plot.figures(cursor, Palette()), width)
    return title + "".join(figure.sign + figure.name + figure.value for figure in figures)


def test_a_narrow_title_keeps_name_unit_and_whole_values() -> None:
    view = view_of()
    view.feed_machine([Sample(NOW - 80, 100, 1.0, 2**30, 0.93, 3 * 2**30, 80 * 2**30)])
    _, accuracy, rate, pace, memory, _ = plots(view, 4, pinned=view_of(100))
    at = figures(accuracy, cursor=125.0)
    raw, train, test, pinned = (at[name].removesuffix(" %") for name in ("raw", "train", "test", "pinned"))
    assert told(accuracy, 80, 125.0).endswith(f"━ raw {raw} %  ━ train {train} %  ◆ test {test} %")
    assert told(accuracy, 48, 125.0) == f"Accuracy ━ {pinned} % ━ {raw} % ━ {train} % ◆ {test} %"
    assert told(accuracy, 47, 125.0) == f"Accuracy ━ {pinned} ━ {raw} ━ {train} ◆ {test} %"
    assert told(accuracy, 36, 125.0) == f"Accuracy ━ {pinned} ━ {train} ◆ {test} %"  # the raw value goes first
    assert told(accuracy, 26, 125.0) == f"Accuracy ━ {train} ◆ {test} %"
    assert told(pace, 20) == "Through… ━ 512 img/s"
    assert told(memory, 36, 125.0) == "GPU memory  ━ 3.000 of 80 GiB"
    assert "planned" in told(rate, 76, 125.0) and told(rate, 36, 125.0).count("━") == 1
    for plot in plots(view, 4, pinned=view_of(100)):
        for cursor in (None, 125.0):
            for width in range(24, 90):
                said = told(plot, width, cursor)
                values = figures(plot, cursor).values()
                assert len(said) <= width and any(said.endswith(value) for value in values)


def test_a_chart_without_mixed_training_accuracy_shows_the_tests_alone() -> None:
    view = RunView()
    view.feed([started(), *(trained(step, accuracy=math.nan) for step in (5, 10, 15))])
    assert figures(plots(view, 4)[1]) == {}


def test_nothing_that_a_run_says_breaks_a_chart() -> None:
    view = RunView()
    odd = [1.0, math.nan, math.inf, -math.inf, 0.0, -3.0, 1e300]
    view.feed([started(), *(trained(5 * (i + 1), loss=v, accuracy=v) for i, v in enumerate(odd))])
    for unit in ("epoch", "time", "step"):
        for plot in plots(view, 4):
            for log in (False, True):
                for size in ((0, 0), (12, 4), (80, 14), (200, 60)):
                    viewport = Viewport(unit=unit, cursor=10.0)
                    rows, _ = plot.draw(*size, viewport, progress_of(view), Palette(), log=log)
                    assert not rows or len(rows) == size[1]


def test_a_logarithmic_loss_has_decades() -> None:
    text, _ = plots(view_of(), 4)[0].draw(80, 20, Viewport(), progress_of(view_of()), Palette(), log=True)
    assert re.search(r"\b0\.1┤", plain(text)) and re.search(r"\b1┤", plain(text))


def test_the_plan_of_the_learning_rate_reaches_to_the_end() -> None:
    view = view_of(10)
    loss, _, rate, *_ = plots(view, 4)

    def last_tick(plot: Plot) -> str:
        return plain(plot.draw(80, 14, Viewport(), progress_of(view, plot), Palette())[0]).split()[-2]

    assert (last_tick(loss), last_tick(rate)) == ("0.6", "10")
    drawn = plain(rate.draw(80, 14, Viewport(), progress_of(view, rate), Palette())[0])
    assert next(line.index("●") for line in drawn.split("\n") if "●" in line) < 15
    view.feed([Finished(time=NOW, step=10, seconds=1.0, test_loss=0.1, test_accuracy=0.9)])
    assert [series.name for series in plots(view, 4)[2].series] == ["rate"]


def test_zooming_shows_the_detail_on_a_scale_of_its_own() -> None:
    steps = array("d", range(1, 1001))
    values = array("d", (5.0 if step < 900 else 0.3 + 0.001 * (step % 2) for step in steps))
    plot = Plot("Loss", (Series("train", steps, values, "smooth"),), str, str, lambda v: f"{v:.4f}")
    progress, viewport = Progress(steps, steps, 1000, 100, 1000), Viewport()
    viewport.zoom(0.05, progress, about=1000)
    ticks = [
        float(tick) for tick in re.findall(r"([\d.]+)┤", plain(plot.draw(80, 20, viewport, progress, Palette())[0]))
    ]
    assert ticks and min(ticks) >= 0.299 and max(ticks) <= 0.302


def test_a_window_is_cut_at_its_edges() -> None:
    steps, values = array("d", [0, 100]), array("d", [0, 1])
    plot = Plot("x", (Series("a", steps, values, "smooth"),), str, str, lambda v: f"{v:.2f}")
    progress, viewport = Progress(steps, steps, 100, 10, 100), Viewport()
    viewport.zoom(0.1, progress, about=50)
    ticks = [float(t) for t in re.findall(r"([\d.]+)┤", plain(plot.draw(60, 20, viewport, progress, Palette())[0]))]
    assert min(ticks) >= 0.4 and max(ticks) <= 0.6  # a slope through the window, not the ends of the line far away


def test_a_cpu_run_shows_its_process_and_a_gpu_run_its_gpu() -> None:
    view = view_of()
    view.feed_machine([Sample(NOW - 100 + s, s, cpu=1.5, memory=2**30) for s in range(20)])
    cpu, memory = plots(view, 4)[4:]
    assert (cpu.title, memory.title) == ("CPU", "Memory")
    assert figures(cpu) == {"": "150 % of a core"} and figures(memory) == {"": "1.00 GiB"}
    view.feed_machine([Sample(NOW - 80, 100, 1.0, 2**30, 0.93, 3 * 2**30, 80 * 2**30)])
    memory, use = plots(view, 4)[4:]
    assert figures(memory) == {"": "3.0 of 80 GiB"} and figures(use) == {"busy": "93 %"}


def test_samples_stand_at_the_step_of_their_moment() -> None:
    view = view_of()  # five steps a second from NOW - 100 on
    view.feed_machine([Sample(NOW - 90, 0, memory=1), Sample(NOW - 80, 0, memory=2)])
    assert view.machine.steps(view.times, view.steps_seen, view.begun_at).tolist() == [50, 100]


def test_samples_of_what_was_withdrawn_do_not_count() -> None:
    view = RunView()
    view.feed([*history(50), Resumed(time=NOW, step=50)])
    view.feed_machine([Sample(NOW - 95, 20, memory=1), Sample(NOW - 50, 90, memory=2), Sample(NOW + 1, 51, memory=3)])
    assert view.machine.figures["memory"].tolist() == [1, 3]


def test_a_long_run_keeps_a_bounded_number_of_samples() -> None:
    machine = MachineView()
    for second in range(3 * MOST):
        machine.add(Sample(float(second), second, cpu=1.0 + second % 2))
    assert len(machine.times) < MOST and machine.times[-1] > 3 * MOST - 10
    assert set(machine.figures["cpu"]) == {1.5} and machine.known == {"cpu"}
    assert all(math.isnan(value) for value in machine.figures["gpu"])
