"""Which failed runs are advised to go on: those that something outside of their recipe ended."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from workbench.data.base import DataError
from workbench.devices import DeviceError
from workbench.engine.build import BuildError
from workbench.engine.state import Checkpoints
from workbench.events import Event, Failed, Trained
from workbench.recipe import Problem, RecipeError, read_recipe
from workbench.registered import TechniqueError
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.events import read_events
from workbench.runs.store.status import read_status
from workbench.runs.training.execute import execute
from workbench.runs.training.failure import resumable


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (DataError("a file could be read before, but not now"), True),
        (DeviceError("cuda:1 is gone"), True),
        (torch.AcceleratorError("CUDA error: unspecified launch failure", 719), True),
        (torch.AcceleratorError("CUDA error: device-side assert triggered", 710), False),
        (BuildError("does not fit"), False),
        (RecipeError([Problem("train", "no")]), False),
        (TechniqueError("posterize: it broke"), False),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (ValueError("Expected more than 1 value per channel when training"), False),
    ],
)
def test_what_lies_outside_of_the_recipe(error: Exception, expected: bool) -> None:
    assert resumable(error, "cpu", started=True) is expected
    assert not resumable(error, "cpu", started=False)  # there is nothing to go on from


def run_of(text: str, folder: Path, *overrides: str) -> RunDirectory:
    return create_run(folder / "runs", read_recipe(text, overrides=overrides))


def test_a_batch_of_one_fails_at_once_and_for_good(digits_recipe: str, tmp_path: Path) -> None:
    run = run_of(digits_recipe, tmp_path, "data.batch_size=1437")
    assert execute(run, device="cpu", checks=False) == "failed"
    events = read_events(run)
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert not failed.resumable and "set data.drop_last = true" in failed.error
    assert not any(isinstance(event, Trained) for event in events)
    again: list[Event] = []
    assert execute(run, device="cpu", resume=True, on_event=again.append, checks=False) == "failed"
    assert isinstance(again[-1], Failed) and not again[-1].resumable


def test_a_full_disk_is_gone_on_from(digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(digits_recipe, tmp_path)

    def full(self: Checkpoints, name: str, state: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(self.folder / name))

    monkeypatch.setattr(Checkpoints, "save", full)
    events: list[Event] = []
    assert execute(run, device="cpu", on_event=events.append, checks=False) == "failed"
    assert isinstance(events[-1], Failed) and events[-1].resumable


def test_what_a_run_does_before_its_first_loss_stands_in_its_status(digits_recipe: str, tmp_path: Path) -> None:
    run = run_of(digits_recipe, tmp_path, "train.epochs=0.2", "train.log_every=2")
    seen: list[tuple[str, list[str]]] = []

    def hear(event: Event) -> None:
        status = read_status(run)
        assert status is not None
        seen.append((event.kind, [stage.name for stage in status.stages]))
        assert [stage.began for stage in status.stages] == sorted(stage.began for stage in status.stages)

    assert execute(run, device="cpu", on_event=hear) == "finished"
    stages = ["torch", "data", "network", "threads", "checks"]
    assert [names for kind, names in seen if kind == "run_started"] == [stages]
    assert [names for kind, names in seen if kind == "check_finished"][:1] == [stages]
    status = read_status(run)
    assert status is not None and status.stages == ()  # there is a loss
