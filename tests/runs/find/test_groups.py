from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS, Metric
from workbench.runs.find.fields import FIELDS, cell, ordered
from workbench.runs.find.groups import Figure, Group, grouped
from workbench.runs.find.keys import Keys
from workbench.runs.find.query import parse
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import Notes
from workbench.runs.store.status import Status

SLOW: Keys = {"sgd": "on", "sgd.learning_rate": 0.05}
FAST: Keys = {"sgd": "on", "sgd.learning_rate": 0.3}
ACCURACY, BEST = (next(m for m in METRICS if m.name == name) for name in ("test accuracy", "best validation"))


def run(name: str, keys: Keys, accuracy: float | None = None, state: str = "finished", device: str = "cpu",
        tags: tuple[str, ...] = (), created: float = 0.0) -> Entry:  # fmt: skip
    status = Status(state, device=device, seed=len(name), test_accuracy=accuracy, seconds=10.0, step=5, steps=10)
    return Entry(RunDirectory(Path(name)), state, "small", created, status, Notes(tags), keys)


def unheard(name: str, keys: Keys) -> Entry:
    """A run that has not said a word."""
    return Entry(RunDirectory(Path(name)), "queued", "small", 0.0, None, keys=keys)


def only(entries: list[Entry]) -> Group:
    (group,) = grouped(entries)
    assert isinstance(group, Group)
    return group


def test_runs_that_differ_by_their_seed_are_one_line_where_the_first_stood() -> None:
    runs = [
        run("a", SLOW, 0.9),
        run("b", FAST, 0.8),
        run("c", dict(SLOW), 0.92),
        run("d", {**SLOW, "train.threads": 8}),
    ]
    group, alone = grouped(runs)
    assert isinstance(group, Group) and [member.name for member in group.members] == ["a", "c", "d"]
    assert alone is runs[1]
    assert group.name not in {entry.name for entry in runs}


def test_mean_and_sample_standard_deviation_of_those_that_finished() -> None:
    figures = [0.9, 0.92, 0.95]
    group = only([*(run(f"r{i}", SLOW, value) for i, value in enumerate(figures)),
                  run("stopped", SLOW, 0.1, "stopped"), run("failed", SLOW, None, "failed")])  # fmt: skip
    figure = group.figure(ACCURACY)
    assert figure is not None and figure.n == 3
    assert figure.mean == pytest.approx(0.92333333333) and figure.spread == pytest.approx(statistics.stdev(figures))
    assert figure.spread == pytest.approx((((0.9 - 0.92333333) ** 2 + (0.92 - 0.92333333) ** 2
                                            + (0.95 - 0.92333333) ** 2) / 2) ** 0.5)  # n - 1  # fmt: skip
    assert group.figure(BEST) is None
    assert group.states == {"finished": 3, "stopped": 1, "failed": 1} and group.state == "finished"
    assert cell(group, FIELDS["acc"], 0.0) == "92.33 % ±2.52 n=3"
    assert cell(group, FIELDS["state"], 0.0) == "3 finished, 1 stopped, 1 failed"
    assert cell(group, FIELDS["best"], 0.0) == "–"


def test_one_figure_has_no_spread() -> None:
    group = only([run("a", SLOW, 0.9), run("b", SLOW, 0.5, "running")])
    assert group.figure(ACCURACY) == Figure(0.9, None, 1)
    assert group.state == "running"
    assert cell(group, FIELDS["acc"], 0.0) == "90.00 % n=1"


def test_runs_without_a_word_stand_with_the_others_and_hide_nothing() -> None:
    group = only([unheard("first", SLOW), run("a", SLOW, 0.9), run("b", SLOW, 0.8)])
    assert group.status is not None and group.status.test_accuracy == pytest.approx(0.85)
    assert group.states == {"finished": 2, "queued": 1} and group.state == "queued"
    silent = only([unheard("first", SLOW), unheard("second", SLOW)])
    assert silent.status is None and silent.figure(ACCURACY) is None
    assert cell(silent, FIELDS["acc"], 0.0) == "–"


def test_devices_are_not_mixed_and_a_run_without_one_goes_where_it_is_clear() -> None:
    two = [run("a", SLOW, 0.9), run("b", SLOW, 0.9), run("c", SLOW, 0.9, device="cuda:0"), unheard("d", SLOW)]
    assert [e.name for e in grouped(two)[1:]] == ["c", "d"]


def test_a_recipe_that_cannot_be_read_stays_alone() -> None:
    assert not any(isinstance(entry, Group) for entry in grouped([run("a", {}, 0.9), run("b", {}, 0.9)]))


def test_a_group_is_sorted_by_its_mean_and_filtered_by_what_all_have() -> None:
    runs = [run("a", SLOW, 0.9, tags=("paper", "x")), run("b", SLOW, 0.94, tags=("paper",)), run("c", FAST, 0.93)]
    lines = grouped(runs)
    assert [isinstance(e, Group) for e in ordered(lines, "acc", 0.0, descending=True)] == [False, True]
    assert lines[0].notes.tags == ("paper",)
    assert [e.name for e in parse("acc>0.925").select(lines, 0.0)] == ["c"]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_figure_is_a_mean_or_none(metric: Metric) -> None:
    group = only([run("a", SLOW, 0.9), run("b", SLOW, 0.94)])
    figure = group.figure(metric)
    assert figure is None or figure.n == 2
