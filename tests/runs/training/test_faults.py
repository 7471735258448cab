"""Real trainings, and what happens to disks: whatever it is, the run goes on to the very same bits afterwards."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.runs.helpers import SMALL, Command, invoke, state_of
from workbench.control import Control
from workbench.engine.state import Checkpoints
from workbench.events import CheckpointSaved, Evaluated, Event, Finished, Noted, Trained
from workbench.recipe import read_recipe
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.events import read_events
from workbench.runs.store.status import read_status
from workbench.runs.training.execute import execute

RECIPE = SMALL.replace("epochs = 1", "epochs = 2\nthreads = 1\nlog_every = 1\ncheckpoint_every = 0.5")


def new_run(root: Path, *overrides: str) -> RunDirectory:
    return create_run(root, read_recipe(RECIPE, overrides=overrides), argv=[])


def trained(run: RunDirectory, **options: Any) -> str:
    return execute(run, device="cpu", checks=False, **options)


def outcome(run: RunDirectory) -> tuple[list[tuple[int, float]], dict[str, torch.Tensor]]:
    """The whole curve, and the weights that it came to."""
    state = Checkpoints(run.checkpoints).load()
    assert state is not None
    return [(e.step, e.loss) for e in read_events(run) if isinstance(e, Trained)], state["model"]


def same(one: RunDirectory, other: RunDirectory) -> bool:
    (a, weights), (b, others) = outcome(one), outcome(other)
    return a == b and weights.keys() == others.keys() and all(torch.equal(weights[k], others[k]) for k in weights)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that was left alone."""
    run = new_run(tmp_path_factory.mktemp("whole"), "data.validation=0.2")
    assert trained(run) == "finished"
    return run


def at(step: int, act: Callable[[], object]) -> Callable[[Event], None]:
    """Do something once, when a step is reported."""
    done: list[int] = []

    def hear(event: Event) -> None:
        if isinstance(event, Trained) and event.step == step and not done:
            done.append(1)
            act()

    return hear


@pytest.mark.parametrize("way", ["deleted", "renamed", "events deleted"])
def test_a_run_whose_directory_goes_away_goes_on_from_what_was_rescued(
    whole: RunDirectory, tmp_path: Path, way: str
) -> None:
    run, control = new_run(tmp_path, "data.validation=0.2"), Control()
    heard: list[Event] = []

    def vanish() -> None:
        {
            "deleted": lambda: shutil.rmtree(run.path),
            "renamed": lambda: run.path.rename(tmp_path / "elsewhere"),
            "events deleted": lambda: run.events_file.unlink(),
        }[way]()

    hear = at(20, vanish)

    def on_event(event: Event) -> None:
        heard.append(event)
        hear(event)
        if isinstance(event, Trained) and event.step > 20 and not control.stop_requested:
            control.wait(0.2)  # the heartbeat needs a second, the steps of this run a few milliseconds

    with pytest.raises(RunError, match="while it was being trained, the run's directory") as caught:
        trained(run, control=control, on_event=on_event)
    (rescued,) = (RunDirectory(path) for path in tmp_path.glob("*-rescued-*"))
    assert str(caught.value).endswith(f"; go on with: workbench run --resume {rescued.path}")
    assert any(isinstance(event, Noted) and "; the run stops" in event.message for event in heard)
    assert state_of(rescued) == "stopped"
    assert 20 < read_events(rescued)[-1].step < 36  # type: ignore[attr-defined]
    assert trained(rescued, resume=True) == "finished"
    assert same(rescued, whole)


def test_a_run_that_finishes_at_that_moment_is_kept_whole(whole: RunDirectory, tmp_path: Path) -> None:
    run = new_run(tmp_path, "data.validation=0.2")
    last = outcome(whole)[0][-1][0]
    with pytest.raises(RunError, match="; see: workbench show "):
        trained(run, on_event=at(last, lambda: shutil.rmtree(run.path)))
    (rescued,) = (RunDirectory(path) for path in tmp_path.glob("*-rescued-*"))
    assert state_of(rescued) == "finished"
    assert same(rescued, whole)


def test_no_room_for_a_checkpoint_stops_the_run_at_the_one_before(whole: RunDirectory, tmp_path: Path) -> None:
    run = new_run(tmp_path, "data.validation=0.2")
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(RunError) as caught:
            trained(run, on_event=at(11, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, most[1]))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    said = str(caught.value)
    assert f"{run.checkpoints}/" in said
    assert ".pt: cannot be written: File too large (" in said
    assert " kB needed, " in said
    assert said.endswith(
        f"the run stopped at its last checkpoint (step 9); go on with: workbench run --resume {run.path}"
    )
    status = read_status(run)
    assert status is not None
    assert (status.state, status.message) == ("stopped", said)
    assert trained(run, resume=True) == "finished"
    assert same(run, whole)


def test_no_room_for_the_results_costs_no_weights(whole: RunDirectory, tmp_path: Path) -> None:
    run = new_run(tmp_path, "data.validation=0.2")
    run.results_file.mkdir()  # what cannot be written over
    assert trained(run) == "finished"
    assert any(isinstance(e, Noted) and "evaluation.json: cannot be written" in e.message for e in read_events(run))
    assert same(run, whole)


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: invoke(capsys, *arguments)


def stopped_run(root: Path, *overrides: str) -> RunDirectory:
    run, control = new_run(root, *overrides), Control()
    assert trained(run, control=control, on_event=at(23, control.stop)) == "stopped"
    return run


def test_a_damaged_checkpoint_is_refused_and_the_best_one_goes_on(
    whole: RunDirectory, tmp_path: Path, workbench: Command
) -> None:
    run = stopped_run(tmp_path, "data.validation=0.2")
    last = run.checkpoints / "last.pt"
    content = last.read_bytes()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        data = bytearray(content)
        data[int(share * len(data))] ^= 1
        last.write_bytes(data)
        refused = workbench("run", "--resume", str(run.path), "--device", "cpu", "--no-checks")
        assert refused.code == 1
        assert f"{last}: is damaged: its content is not what its digest says; go on from best.pt (step " in refused.err
        assert f"workbench run --resume {run.path} --from best" in refused.err
        assert last.read_bytes() == data
    assert state_of(run) == "failed"
    missing = workbench("run", "--resume", str(run.path), "--from", "middle")
    assert missing.code == 1
    assert "has no checkpoint 'middle'; it has best, last" in missing.err
    alone = workbench("run", str(run.path), "--from", "best")
    assert alone.code == 2
    assert "give --resume RUN too" in alone.err
    went_on = workbench("run", "--resume", str(run.path), "--from", "best", "--device", "cpu", "--no-checks")
    assert went_on.code == 0
    assert "goes on after step 18" in went_on.err
    assert (run.checkpoints / "last.aside.pt").read_bytes() == data
    assert same(run, whole)


def test_without_another_checkpoint_it_says_that(tmp_path: Path, workbench: Command) -> None:
    run = stopped_run(tmp_path)
    (run.checkpoints / "last.pt").write_bytes(b"garbage")
    refused = workbench("run", "--resume", str(run.path), "--device", "cpu")
    assert refused.code == 1
    assert "last.pt: not a readable checkpoint: it is another kind of file; there is no other checkpoint" in refused.err
    assert "orch.load" not in refused.err


def test_a_bad_line_is_said_where_a_run_is_looked_at_and_goes_on(
    whole: RunDirectory, tmp_path: Path, workbench: Command
) -> None:
    run = stopped_run(tmp_path, "data.validation=0.2")
    lines = run.events_file.read_bytes().splitlines(keepends=True)
    kinds = [type(event) for event in read_events(run)]
    assert {Trained, Evaluated, CheckpointSaved} <= set(kinds)
    run.events_file.write_bytes(
        b"".join([*lines[:4], b'{"kind":"trained","loss":"x"}\n', b"[" * 100_000 + b"\n", *lines[4:]])
    )
    said = f"{run.events_file}: left out 2 lines that could not be read"
    shown = workbench("show", str(run.path))
    assert (shown.code, shown.err) == (0, f"{said}\n")
    watched = workbench("watch", str(run.path))
    assert watched.code == 0
    assert f"warning: {said}" in watched.err
    went_on = workbench("run", "--resume", str(run.path), "--device", "cpu", "--no-checks")
    assert went_on.code == 0
    assert said in went_on.err
    assert isinstance(read_events(run)[-1], Finished)
    assert same(run, whole)
