"""Phases of a running training: what they say, and what measuring leaves as it was."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.profiling.conftest import Read
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.meter import Clock
from workbench.engine.train import train
from workbench.engine.train_state import TrainState
from workbench.events import Event, Finished, Noted, PhasesMeasured, Stopped
from workbench.profiling import phases
from workbench.profiling.instruments import INSTRUMENTS, Instruments
from workbench.profiling.phases import MOST, chosen, every
from workbench.profiling.report import PHASES
from workbench.recipe import Recipe
from workbench.step import PhaseMarks


@pytest.fixture(autouse=True)
def _short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "WINDOW_SECONDS", 0.2)


@pytest.fixture
def long_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleeping takes no time, and by every clock a thousand times as long.

    So what is planted dwarfs what else the machine does, however busy it is.
    """
    slept, clock = [0.0], time.perf_counter

    def sleep(seconds: float) -> None:
        slept[0] += 1000 * seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + slept[0])


def trained(recipe: Recipe, folder: Path, *asked: str, known=INSTRUMENTS, seconds: float = math.inf):
    """The events of a training that was asked to measure, and its build."""
    control = Control()
    for name in asked:
        control.measure(name, seconds)
    with backend(recipe):
        built = build(recipe, "cpu", folder)
        try:
            state = TrainState.of(built)
            observers = [Instruments(folder / "profile", known)]
            return list(train(built, control, observers=observers, state=state)), state
        finally:
            built.close()


def measured(events: list[Event]) -> list[PhasesMeasured]:
    return [event for event in events if isinstance(event, PhasesMeasured)]


def test_phases_explain_the_step(recipe: Read, tmp_path: Path) -> None:
    events, _ = trained(recipe("train.epochs=10"), tmp_path, "phases")
    found = measured(events)
    assert len(found) >= 2
    # in a window of few steps, one that the machine held up can be a large part
    assert statistics.median(sum(event.seconds.values()) / event.step_seconds for event in found) >= 0.95
    assert statistics.median(event.cost for event in found) < 0.1
    for event in found:
        assert set(event.seconds) == set(PHASES)
        assert sum(event.seconds.values()) <= event.step_seconds * 1.0001
        assert event.seconds["forward"] > 0 < event.seconds["backward"]
        assert event.seconds["transfer"] == 0
        assert event.cost >= 0
    written = json.loads((tmp_path / "profile" / "phases.json").read_text())
    assert written["kind"] == "phases_measured" and written["step"] == found[-1].step


@pytest.mark.usefixtures("long_sleep")
def test_the_loader_pipeline_waits_for_data_and_copies(recipe: Read, tmp_path: Path) -> None:
    slow = recipe(
        "data.pipeline=loader", "data.workers=0", "techniques.slow_transform.milliseconds=0.5", "train.epochs=1"
    )
    (found, *_) = measured(trained(slow, tmp_path, "phases")[0])
    assert found.seconds["data wait"] == pytest.approx(32, rel=0.1)
    assert found.seconds["transfer"] > 0


@pytest.mark.usefixtures("long_sleep")
def test_time_in_the_step_lies_where_it_is_spent(recipe: Read, tmp_path: Path) -> None:
    (found, *_) = measured(trained(recipe("techniques.sync.milliseconds=20", "train.epochs=1"), tmp_path, "phases")[0])
    assert found.seconds["other"] == pytest.approx(20, rel=0.1)


def test_passes_add_up(recipe: Read, tmp_path: Path) -> None:
    """Gradient techniques run forward and backward several times in one step."""
    once = count_marks(recipe("train.epochs=1"), tmp_path)
    twice = count_marks(recipe("train.epochs=1", "techniques.two_passes=on"), tmp_path)
    assert twice["forward"] == 2 * once["forward"] and twice["backward"] == 2 * once["backward"]
    assert twice["optimizer"] == once["optimizer"]
    found = measured(trained(recipe("techniques.two_passes=on", "train.epochs=3"), tmp_path, "phases")[0])
    assert statistics.median(sum(event.seconds.values()) / event.step_seconds for event in found) >= 0.95


def count_marks(recipe: Recipe, folder: Path) -> Counter[str]:
    counted: Counter[str] = Counter()
    with backend(recipe):
        built = build(recipe, "cpu", folder)
        state = TrainState.of(built)
        state.phases.phase = lambda phase: counted.update([phase])
        list(train(built, Control(), state=state))
    return counted


@pytest.mark.usefixtures("long_sleep")
def test_an_evaluation_is_no_part_of_a_step(recipe: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.engine import between_steps

    evaluate = between_steps.evaluate

    def slowly(*given: Any) -> tuple[float, float]:
        time.sleep(0.2)
        return evaluate(*given)

    monkeypatch.setattr(between_steps, "evaluate", slowly)
    events, _ = trained(recipe("train.epochs=3", "train.eval_every=0.1"), tmp_path, "phases")
    assert measured(events) and all(event.step_seconds < 2 for event in measured(events))  # an evaluation takes 200 s


def test_measuring_changes_no_number(recipe: Read, tmp_path: Path) -> None:
    wanted = recipe("train.epochs=3", "techniques.dropout=on", "model.hidden=[16]")
    _, measured_state = trained(wanted, tmp_path, "phases")
    _, alone = trained(wanted, tmp_path)
    for name, value in alone.build.model.state_dict().items():
        assert torch.equal(value, measured_state.build.model.state_dict()[name])


def test_nothing_is_marked_when_measuring_is_over(recipe: Read, tmp_path: Path) -> None:
    events, state = trained(recipe("train.epochs=10"), tmp_path, "phases", seconds=0.0)
    assert len(measured(events)) == 1, "one window was asked for"
    assert not state.phases.on


@pytest.mark.parametrize("often", [1, 2, 4, 8, 16, MOST])
def test_one_step_of_each_few_is_measured_at_every_place(often: int) -> None:
    steps = [step for step in range(often * 3200) if chosen(step, often)]
    assert len(steps) == 3200
    for log_every in (2, 5, 10, 16):  # what happens every so often is met as often as it happens
        met = sum(step % log_every == 0 for step in steps) / len(steps)
        assert met == pytest.approx(1 / log_every, rel=0.2)


def test_slow_steps_are_all_measured() -> None:
    assert every(0.2) == every(0.02) == 1
    assert every(0.002) == 16
    assert every(1e-6) == every(0.0) == MOST


class Broken:
    """An instrument that fails in its second step."""

    def __init__(self) -> None:
        self.steps = 0

    def start(self) -> None:
        """Begin."""

    def after_step(self, step: int) -> bool:
        """Fail."""
        self.steps += 1
        if self.steps == 2:
            raise RuntimeError("no more paper")
        return False

    def finish(self, folder: Path) -> Iterator[Event]:
        """Never reached."""
        yield Noted(message="finished")


def test_no_step_is_measured_while_another_would_be_lost_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording's events are in flight: the host has begun the next steps before the device has passed them."""
    from workbench.profiling import timelines

    class InFlight(timelines.HostTimeline):
        ready = True  # type: ignore[assignment]

        def end(self, seconds: float | None) -> None:
            super().end(seconds)
            self.ready = seconds is None

    monkeypatch.setattr(timelines, "timeline", lambda device: InFlight())
    monkeypatch.setattr(phases, "every", lambda seconds: 1)
    marks = PhaseMarks()
    found = phases.StepPhases(marks, torch.device("cpu"), Clock())
    found.start()
    measured = []
    for step in range(1, 7):
        measured.append(marks.on)
        if step == 4:
            found._timeline.ready = True  # type: ignore[misc]
        found.after_step(step)
    assert measured == [True, False, False, False, True, False]


def test_an_instrument_that_breaks_ends_no_run(recipe: Read, tmp_path: Path) -> None:
    known = {"broken": lambda state: Broken()}
    events, _ = trained(recipe("train.epochs=1"), tmp_path, "broken", "unheard-of", known=known)
    said = [event.message for event in events if isinstance(event, Noted)]
    assert said == [
        "this run cannot measure 'unheard-of'; it knows broken",
        "measuring broken was given up: RuntimeError: no more paper",
    ]
    assert isinstance(events[-1], Finished)


class Counting:
    """An instrument of three steps."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.steps = clock, 0

    def start(self) -> None:
        """Begin a window."""
        self.steps = 0

    def after_step(self, step: int) -> bool:
        """Count."""
        self.steps += 1
        return self.steps == 3

    def finish(self, folder: Path) -> Iterator[Event]:
        """Say how many steps there were, slowly."""
        before = self.clock.seconds
        time.sleep(0.05)
        yield Noted(message=f"{self.steps} steps, clock moved {self.clock.seconds - before:.2f}")


def test_a_window_ends_by_itself_or_with_the_run(recipe: Read, tmp_path: Path) -> None:
    known = {"counting": lambda state: Counting(state.clock)}
    once, _ = trained(recipe("train.epochs=1"), tmp_path, "counting", known=known, seconds=0.0)
    assert [e.message for e in once if isinstance(e, Noted)] == ["3 steps, clock moved 0.00"]
    again, _ = trained(recipe("train.epochs=0.3"), tmp_path, "counting", known=known)
    said = [e.message for e in again if isinstance(e, Noted)]
    assert said[:2] == ["3 steps, clock moved 0.00"] * 2 and not said[-1].startswith("3 steps"), said


def test_a_stopped_run_ends_what_measures_it_first(recipe: Read, tmp_path: Path) -> None:
    known = {"counting": lambda state: Counting(state.clock)}
    control, wanted = Control(), recipe("train.epochs=1")
    control.measure("counting")
    control.stop()
    with backend(wanted):
        events = list(train(build(wanted, "cpu", tmp_path), control, observers=[Instruments(tmp_path, known)]))
    assert isinstance(events[-1], Stopped)


@pytest.mark.cuda
def test_on_a_gpu_the_phases_explain_the_step_and_nothing_waits(recipe: Read, tmp_path: Path) -> None:
    wanted = recipe("train.log_every=1000", "train.epochs=20", "train.eval_every=1000", "train.checkpoint_every=1000")
    control = Control()
    control.measure("phases", math.inf)
    built = build(wanted, "cuda", tmp_path)
    state = TrainState.of(built)

    # Raised in a forward pass, the alarm lasts until the next one; an epoch's ends may wait.
    def alarm(module: object, inputs: object) -> None:
        place = state.step % len(built.pipeline)
        torch.cuda.set_sync_debug_mode("error" if 1 < place < len(built.pipeline) - 1 else "default")

    built.model.register_forward_pre_hook(alarm)
    with backend(wanted):
        try:
            found = measured(list(train(built, control, observers=[Instruments(tmp_path)], state=state)))
        finally:
            torch.cuda.set_sync_debug_mode("default")
            built.close()
    assert found
    # in a window of few steps, one that the machine held up can be a large part
    assert statistics.median(sum(event.seconds.values()) / event.step_seconds for event in found) >= 0.95
