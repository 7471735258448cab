"""What limits a training on a GPU: planted, measured as a whole, and named; the change that it suggests, tried.

On the stand-in the machine's times are planted, too (tests/cuda/timing.py), so no verdict depends on how busy this one
is. On a card the same plants take real time.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.cuda.timing import Machine
from tests.profiling import conftest
from tests.profiling.conftest import LONGER, Read, limited_by
from tests.profiling.synthetic_bottlenecks import DeviceWork
from workbench.profiling.report import Bound, Report
from workbench.recipe import Recipe

pytestmark = pytest.mark.cuda

recipe = conftest.recipe

SMALL = ("data.batch_size=16", "model.widths=[4]", "train.epochs=1000")
LOADER = ("data.pipeline=loader", "data.workers=0")
PIPELINES = {"device": (), "loader": LOADER}

every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES)
every_mode = pytest.mark.parametrize("mode", ["off", "graph"])
on_the_stand_in = pytest.mark.usefixtures("standin")


def found_to_be(bound: Bound, wanted: Recipe, folder: Path, machine: Machine | None, *, try_it: bool = False) -> Report:
    lengths = LONGER if machine is None else (0.012, 0.05)
    return limited_by(bound, wanted, folder, "cuda", try_it=try_it, lengths=lengths)


@every_pipeline
@every_mode
def test_batches_that_take_long(
    recipe: Read, tmp_path: Path, machine: Machine | None, pipeline: str, mode: str
) -> None:
    slow = ("techniques.slow_transform.milliseconds=0.5", "techniques.slow_transform.works=true")
    wanted = recipe(*SMALL, *PIPELINES[pipeline], f"train.compile={mode}", *slow)
    found = found_to_be("loader", wanted, tmp_path, machine)
    assert found.transforms[0].name == "slow_transform"
    phase = "augment" if pipeline == "device" else "data wait"
    assert found.phases.seconds[phase] == pytest.approx(0.008, rel=0.2)


@every_pipeline
def test_launches_that_take_long_and_the_recorded_step_that_spares_them(
    recipe: Read, tmp_path: Path, machine: Machine | None, pipeline: str
) -> None:
    wanted = recipe(*SMALL, *PIPELINES[pipeline], "train.compile=off")
    found = found_to_be("launch", wanted, tmp_path, machine, try_it=pipeline == "device")
    assert found.suggestion is not None and found.suggestion.changes == {"train.compile": "graph"}
    assert len(found.trials) == (pipeline == "device")
    for trial in found.trials:
        assert trial.low > 1.3 and trial.sentence.endswith("faster.")
    assert "longer" in found.sentence or "as long" in found.sentence
    if machine is not None:
        assert found.gpu is not None and found.gpu.utilisation is not None and found.gpu.utilisation < 0.3
        assert f"the GPU is in use {100 * found.gpu.utilisation:.0f} % of the time" in found.sentence


@every_pipeline
def test_launches_outside_of_the_recorded_step(
    recipe: Read, tmp_path: Path, machine: Machine | None, pipeline: str
) -> None:
    wanted = recipe(*SMALL, *PIPELINES[pipeline], "train.compile=graph")
    found = found_to_be("launch", wanted, tmp_path, machine)
    assert found.suggestion is not None and found.suggestion.changes == {"data.batch_size": 32}


@every_pipeline
@every_mode
def test_a_look_at_the_loss(recipe: Read, tmp_path: Path, machine: Machine | None, pipeline: str, mode: str) -> None:
    """Nothing is recorded that looks."""
    work = ("techniques.device_work.milliseconds=5", "techniques.device_work.waits=true")
    wanted = recipe(*SMALL, *PIPELINES[pipeline], *work, f"train.compile={mode}")
    found = found_to_be("sync", wanted, tmp_path, machine)
    lines, start = inspect.getsourcelines(DeviceWork._loss)
    line = start + next(i for i, text in enumerate(lines) if ".item()" in text)
    assert f"at synthetic_bottlenecks.py:{line} (" in found.sentence
    assert any("cannot be recorded" in note for note in found.notes) is (mode == "graph")


def test_a_look_that_costs_nothing_limits_nothing(recipe: Read, tmp_path: Path, machine: Machine | None) -> None:
    wanted = recipe(*SMALL, "techniques.device_work.waits=true", "train.compile=off")
    found = found_to_be("launch", wanted, tmp_path, machine, try_it=True)
    (trial,) = found.trials
    assert "cannot be recorded (techniques.device_work, synthetic_bottlenecks.py:" in trial.sentence


@every_pipeline
@every_mode
def test_a_network_that_takes_long(
    recipe: Read, tmp_path: Path, machine: Machine | None, pipeline: str, mode: str
) -> None:
    wanted = recipe(*SMALL, *PIPELINES[pipeline], "techniques.device_work.microseconds=500", f"train.compile={mode}")
    found = found_to_be("compute", wanted, tmp_path, machine)
    assert found.compute.images_per_second == pytest.approx(2000, rel=0.2)
    assert found.suggestion is None or "data.workers" not in found.suggestion.changes


@on_the_stand_in
@every_mode
def test_copies_that_take_long(recipe: Read, tmp_path: Path, machine: Machine, mode: str) -> None:
    """A card's own bus is too fast for images of 8×8."""
    machine.bandwidth = 16 * 3 * 32 * 32 / 0.004
    wanted = recipe(*SMALL, *LOADER, f"train.compile={mode}", "data.pin_memory=false")
    found = found_to_be("transfer", wanted, tmp_path, machine)
    assert found.phases.seconds["transfer"] == pytest.approx(0.004, rel=0.3)
    assert found.suggestion is not None and found.suggestion.changes == {"data.pin_memory": True}


@every_mode
def test_evaluations_that_take_long(recipe: Read, tmp_path: Path, machine: Machine | None, mode: str) -> None:
    wanted = recipe(*SMALL, f"train.compile={mode}", "train.eval_every=0.01", "data.eval_batch_size=20")
    found = found_to_be("evaluation", wanted, tmp_path, machine)
    assert found.suggestion is not None and found.suggestion.changes["train.eval_every"] > 0.01
