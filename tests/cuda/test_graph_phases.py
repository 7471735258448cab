"""Phases of steps that are repeated from a recording: measured inside it, and no number of the training is another."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cuda import runtime
from tests.cuda.timing import Machine, planted
from tests.profiling import conftest
from tests.profiling.conftest import Read
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.recorder import Recorder
from workbench.engine.train import train
from workbench.events import Event, Noted, PhasesMeasured, Trained
from workbench.profiling import phases
from workbench.profiling.instruments import Instruments
from workbench.recipe import Recipe

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("short_windows")]

recipe = conftest.recipe
EVERY = phases.every
COMPILES = pytest.mark.real_gpu("torch.compile builds kernels for it")
EPOCHS = 0.5 if runtime.present() else 2  # a card is through with half of one before it has said what it measured
SMALL = ("data.batch_size=16", "model.widths=[4]", f"train.epochs={EPOCHS}", "train.log_every=5")


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """So short that several fit into a small training, of which every other step or so is measured."""
    monkeypatch.setattr(phases, "WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(phases, "every", lambda seconds: 2)


def trained(recipe: Recipe, folder: Path, *asked: str) -> tuple[Build, list[Event]]:
    control = Control()
    for name in asked:
        control.measure(name, math.inf)
    with backend(recipe):
        built = build(recipe, "cuda", folder)
        try:
            return built, list(train(built, control, observers=[Instruments(folder / "profile")]))
        finally:
            built.close()


def measured(events: list[Event]) -> list[PhasesMeasured]:
    return [event for event in events if isinstance(event, PhasesMeasured)]


def notes(events: list[Event]) -> list[str]:
    """What was told, but that compiling took long."""
    found = [event.message for event in events if isinstance(event, Noted)]
    return [message for message in found if not message.startswith("compiled the network in")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(("techniques.dropout=on", "model.hidden=[16]"), id="dropout"),
        pytest.param(("techniques.two_passes=on",), id="two passes"),
        pytest.param(("techniques.mixed_precision.dtype=fp16", "techniques.ema=on"), id="fp16 and averages"),
        pytest.param(("train.compile=max",), id="max", marks=COMPILES),
    ],
)
def test_measuring_recorded_steps_changes_no_number(recipe: Read, tmp_path: Path, changes: tuple[str, ...]) -> None:
    wanted = recipe(*SMALL, "train.compile=graph", *changes)
    found, seen = trained(wanted, tmp_path, "phases")
    alone, said = trained(wanted, tmp_path)
    assert len(measured(seen)) > 3 and not notes(seen) and not notes(said)
    if not runtime.present():
        return
    losses = [[event.loss for event in events if isinstance(event, Trained)] for events in (seen, said)]
    assert losses[0] == losses[1]
    for name, value in alone.model.state_dict().items():
        assert torch.equal(value, found.model.state_dict()[name])


def test_measuring_recorded_steps_waits_for_nothing(recipe: Read, tmp_path: Path, standin: ModuleType) -> None:
    wanted = recipe(*SMALL, "train.compile=graph", "train.log_every=1000")
    with standin.listened() as log, pytest.MonkeyPatch.context() as patch:
        training_inputs = Build.training_inputs

        def at_step(built: Build, *arguments: Any) -> Any:
            log.step = arguments[1].step
            return training_inputs(built, *arguments)

        patch.setattr(Build, "training_inputs", at_step)
        built, events = trained(wanted, tmp_path, "phases")
    steady = range(12, built.steps - 1)  # recorded by then, with and without phases
    assert sum(event.step in steady for event in measured(events)) > 3
    assert not [entry.line() for step in steady for entry in log.waits(step=step)]


def test_phases_lie_where_the_recorded_step_spends_its_time(recipe: Read, tmp_path: Path) -> None:
    wanted = recipe(*SMALL, "train.compile=graph", "techniques.device_work.milliseconds=5")
    with planted(Machine()) if runtime.present() else nullcontext():
        found = measured(trained(wanted, tmp_path, "phases")[1])
    assert len(found) > 3
    for event in found[2:]:  # steps were not recorded from the first on
        assert event.recorded_seconds is None
        assert event.seconds["forward"] == pytest.approx(0.005, rel=0.05 if runtime.present() else 0.3)
        assert sum(event.seconds.values()) == pytest.approx(event.step_seconds, rel=0.05)
        assert 0 < event.seconds["backward"] < 0.001 and 0 < event.seconds["optimizer"] < 0.001


def test_steps_so_slow_that_each_would_be_measured_are_measured(
    recipe: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: ModuleType
) -> None:
    """The host runs ahead: the next steps begin before the device has passed the measured one's events."""
    monkeypatch.setattr(phases, "every", EVERY)
    wanted = recipe(*SMALL, "train.compile=graph", "techniques.device_work.milliseconds=25", "train.log_every=10")
    with planted(Machine()):
        found = measured(trained(wanted, tmp_path, "phases")[1])
    assert found
    assert found[-1].seconds["forward"] == pytest.approx(0.025, rel=0.05)


def test_a_step_that_is_repeated_before_it_was_read_is_left_out(recipe: Read, tmp_path: Path) -> None:
    """Its events are those of the next repetition then."""
    from workbench.profiling.timelines import DeviceTimeline

    timeline = DeviceTimeline(torch.device("cuda"))
    of_graph = [(name, torch.cuda.Event(enable_timing=True, external=True)) for name in ("forward", "other")]
    for _ in range(2):
        timeline.begin()
        for _, event in of_graph:
            event.record()
        timeline.repeated(of_graph)
        timeline.end(0.1)
        assert not timeline.ready, "the next repetition would record the events anew"
    ((seconds, _),) = timeline.collect()
    assert seconds["forward"] > 0 and timeline.ready
    assert not {event for _, event in of_graph} & set(timeline._free), "they are the recording's own"


def test_where_a_recording_has_no_place_for_clocks_the_step_says_so(
    recipe: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: ModuleType
) -> None:
    record, count = Recorder.record, 0

    def once(recorder: Recorder, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        nonlocal count
        count += 1
        if count == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return record(recorder, function)

    monkeypatch.setattr(Recorder, "record", once)
    wanted = recipe(*SMALL, "train.compile=graph")
    with planted(Machine()):
        events = trained(wanted, tmp_path, "phases")[1]
    (said,) = notes(events)
    assert said.startswith("phases are measured on steps that run without their graph, the others are faster: ")
    assert said.endswith(": CUDA out of memory)")
    found = measured(events)[-1]
    assert found.recorded_seconds is not None
    assert 2 < found.step_seconds / found.recorded_seconds < 10
