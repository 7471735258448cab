"""The step as a bar: widths, letters and shares that add up; changes in words; stack lines."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.profiling.report import PHASES, MeasuringProgress, Phases, Report, Throughput
from workbench.profiling.stack_tree import Frame
from workbench.tui.profile.bars import ceilings, so_far
from workbench.tui.profile.texts import (
    UNEXPLAINED,
    changed_to,
    in_columns,
    legend,
    milliseconds,
    pieces,
    shared_with,
    step_bar,
    step_caption,
    verdict,
    widths,
)
from workbench.tui.profile.widgets import Folding


def measured(whole: float, **seconds: float) -> Phases:
    return Phases(whole, {name.replace("_", " "): value for name, value in seconds.items()}, 10, 1, 0.0)


RATE = Throughput(1000.0, 900.0, 1100.0, 4)
REPORT = Report(
    recipe="small", device="cpu", machine="here", pipeline="device", workers=0, batch_size=64, end_to_end=RATE,
    loader=Throughput(90_000.0, 80_000.0, 95_000.0, 4), compute=Throughput(1050.0, 1000.0, 1100.0, 4),
    phases=measured(0.1, forward=0.1), bound="compute", sentence="The network limits training.",
)  # fmt: skip


def test_what_phases_leave_is_shown() -> None:
    found = pieces(measured(0.1, forward=0.04, backward=0.05))
    assert [(p.name, round(p.share, 3)) for p in found] == [("forward", 0.4), ("backward", 0.5), (UNEXPLAINED, 0.1)]


def test_a_step_without_its_graph_says_what_a_recorded_one_takes() -> None:
    said = step_caption(["Run "], replace(measured(0.0246, forward=0.02), recorded_seconds=0.00785)).plain
    assert said == "Run   24.6 ms without its graph, 7.8 ms with it (3.1×)  10 steps, cost 0.0 %"
    assert "graph" not in step_caption(["Run "], measured(0.0246, forward=0.02)).plain


def test_a_shared_gpu_is_said_with_the_names_of_the_others() -> None:
    assert shared_with(()) == ""
    alone = "The GPU is shared with another process, so steps take longer: python3 (pid 1)"
    assert shared_with(("python3 (pid 1)",)) == alone
    assert shared_with(("a", "b")) == "The GPU is shared with 2 other processes, so steps take longer: a, b"


def test_phases_that_overlap_are_no_more_than_the_whole() -> None:
    assert sum(piece.share for piece in pieces(measured(0.1, forward=0.08, backward=0.08))) == pytest.approx(1)


def test_a_step_that_was_never_measured_is_empty() -> None:
    found = pieces(measured(0.0))
    assert found == [] and step_bar(found, 40)[0].plain == "" and legend(found, 40).plain == ""


@given(st.lists(st.floats(0, 10), min_size=1, max_size=7), st.integers(1, 300))
def test_the_bar_is_as_wide_as_there_is_room(seconds: list[float], room: int) -> None:
    phases = Phases(sum(seconds) * 1.01 or 1.0, dict(zip(PHASES, seconds, strict=False)), 10, 1, 0.0)
    parts = pieces(phases)
    assert sum(widths(parts, room)) <= room
    if sum(piece.share for piece in parts) > 0.999:
        assert sum(widths(parts, room)) == room
    for ascii in (False, True):
        above, below = step_bar(parts, room, ascii=ascii)
        assert above.cell_length == below.cell_length == sum(widths(parts, room))


def test_ascii_repeats_each_letter_by_its_share() -> None:
    above, below = step_bar(pieces(measured(0.1, data_wait=0.05, forward=0.02, backward=0.03)), 20, ascii=True)
    assert above.plain == below.plain == "D" * 10 + "F" * 4 + "B" * 6


def test_a_phase_of_one_cell_is_its_letter() -> None:
    above, _ = step_bar(pieces(measured(1.0, forward=0.975, backward=0.025)), 40)
    assert above.plain.startswith(" forward") and above.plain.endswith("B")


def test_columns_are_as_many_as_fit() -> None:
    entries = pieces(measured(0.1, forward=0.04, backward=0.05))
    assert legend(entries, 200).plain.count("\n") == 0
    assert legend(entries, 30).plain.count("\n") == 2
    assert max(len(line) for line in legend(entries, 50).plain.splitlines()) <= 50
    assert in_columns([], 10).plain == ""


def test_a_far_ceiling_does_not_press_the_others_flat() -> None:
    first, second, third = ceilings(REPORT, 80).plain.splitlines()
    assert first.count("█") > 20 and "▶" in first and "90,000" in first
    assert second.count("█") > 8 and third.count("█") > 8 and "▶" not in second + third
    assert {len(line) for line in (first, second, third)} == {len(first)}
    assert not set("█▒▶") & set(ceilings(REPORT, 80, ascii=True).plain)


def test_without_a_suggestion_it_says_so() -> None:
    said = verdict(REPORT, 80, {"try": "t", "keep": "a"}, kept=False, airy=True).plain
    assert "Compute-bound. The network limits training." in said and "Nothing that is known to change" in said
    unclear = dataclasses.replace(REPORT, bound="unclear")
    said = verdict(unclear, 80, {"try": "t", "keep": "a"}, kept=False, airy=True).plain
    assert "nclear" not in said and "Try: Measure again when the machine is quieter." in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.workers": 2, "data.persistent_workers": True}, "data.workers = 2, data.persistent_workers = true"),
        ({"techniques.channels_last.enabled": True}, "channels_last"),
        ({"techniques.channels_last": True}, "channels_last"),
        ({"techniques.cutout": None}, "no cutout"),
        ({"techniques.cutout.enabled": False}, "no cutout"),
        ({"techniques.mixed_precision.dtype": "bf16"}, "mixed_precision.dtype = bf16"),
        (
            {"techniques.mixed_precision.enabled": True, "techniques.mixed_precision.dtype": "bf16"},
            "mixed_precision.dtype = bf16",
        ),
    ],
)
def test_changes_in_words(changes: dict[str, object], words: str) -> None:
    assert changed_to(changes) == words


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000412, "0.41 ms"), (0.0123, "12.3 ms"), (0.2124, "212 ms"), (3.2, "3.20 s")]
)
def test_milliseconds(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_large_branches_are_open_and_a_root_that_only_leads_on_is_left_out() -> None:
    def frame(name: str, share: float, *children: Frame) -> Frame:
        return Frame(name, "a.py", 1, share, share, True, children)

    tree = frame("thread", 1.0, frame("execute", 1.0, frame("train", 0.99,
        frame("step", 0.9, frame("forward", 0.5)), frame("log", 0.04, frame("write", 0.03)))))  # fmt: skip
    folding = Folding()
    rows = folding.rows(tree)
    assert [(row.frame.name, row.depth, row.open) for row in rows] == [
        ("train", 0, True), ("step", 1, True), ("forward", 2, None), ("log", 1, False),
    ]  # fmt: skip
    folding.turn(rows[3].path)
    folding.turn(rows[1].path)
    assert [row.frame.name for row in folding.rows(tree)] == ["train", "step", "log", "write"]


def test_a_change_that_is_being_tried_says_its_gain_so_far() -> None:
    said = so_far(
        MeasuringProgress("trying the change, pair 4 of 5", 0.6, gains=[1.9, 1.75, 1.8]), 60, {"cancel": "esc"}
    )
    assert said.plain == "The change so far: 1.80× (median of 3 pairs, 1.75–1.90)\nesc ends it"
