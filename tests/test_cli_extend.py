"""``workbench run --resume RUN --epochs …``, with a fake engine: see tests/runs/fake_engine.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runs.fake_engine import execute
from tests.runs.helpers import SMALL, Command, invoke, lasting, outline_checkpoint
from workbench.commands import training
from workbench.recipe import plugins
from workbench.runs.find.listing import find_run
from workbench.runs.store.continuation import parent_name
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import write_status


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_RUNS", "WORKBENCH_DATA", "FAKE_END", "FAKE_STEP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(training, "execute", execute)
    monkeypatch.setattr(plugins, "_loaded", {})
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: invoke(capsys, *arguments)


@pytest.fixture
def finished(workbench: Command, folder: Path) -> RunDirectory:
    """Four epochs of five steps each."""
    assert workbench("run", "small.toml", "--device", "cpu", "--quiet").code == 0
    run = find_run(folder / "runs", "last")
    outline_checkpoint(run, 20)
    return run


def count(folder: Path) -> int:
    return sum(not path.name.startswith(".") for path in (folder / "runs").iterdir())


def test_it_is_shown_and_then_begun_as_a_new_run(workbench: Command, folder: Path, finished: RunDirectory) -> None:
    result = workbench("run", "--resume", "last", "--epochs", "6", "--schedule", "hold", "--device", "cpu")
    assert result.code == 0
    shown, trained = result.out.split("\nrun: ")
    title, heading, before, first, *rest = shown.splitlines()
    assert title == "learning rate by epoch"
    assert heading.split() == ["epoch", "planned", "hold", "←", "rewarm"]
    assert before.split() == ["4,", "trained", "0.1", "0.1", "0.1"] and first.split()[0] == "4"
    assert f"Goes on with weights, optimizer and averages of {finished.name} after epoch 4, to epoch 6" in shown
    assert (
        "This is not the same as 6 epochs from the start: the first 4 were trained with the rates of a run of 4."
        in rest
    )
    longer = RunDirectory(folder / "runs" / Path(trained.splitlines()[0]).name)
    assert longer != finished and count(folder) == 2 and "finished" in trained
    assert longer.recipe().train.epochs == 6 and finished.recipe().train.epochs == 1
    assert f"continues      {finished.name}" in workbench("show", longer.name).out
    assert json.loads(workbench("show", longer.name, "--json").out)["continues"] == finished.name
    assert json.loads(workbench("show", finished.name, "--json").out)["continues"] is None


def test_a_dry_run_starts_nothing(workbench: Command, folder: Path, finished: RunDirectory) -> None:
    asked = ("run", "--resume", finished.name, "--epochs", "6", "--dry-run")
    assert "learning rate by epoch" in workbench(*asked).out
    plan = json.loads(workbench(*asked, "--json").out)
    assert plan["continues"] == finished.name and plan["epoch"] == [4.0, 5.0, 5.8]
    assert plan["learning_rate"]["planned"] == pytest.approx([0.1, 0.1, 0.1]) and plan["known_rate"] is True
    assert "not the same as 6 epochs from the start" in plan["notes"][1]
    assert count(folder) == 1


def test_in_the_background_a_pipe_gets_the_name_alone(
    workbench: Command, folder: Path, finished: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def launch(run: RunDirectory, device: str, root: Path, resume: bool, *rest: object, checks: bool) -> int:
        asked.append(resume)
        return 4321

    monkeypatch.setattr(training, "launch", launch)
    result = workbench("run", "--resume", "last", "--epochs", "6", "--detach", "--device", "cpu")
    assert result.code == 0 and asked == [True]
    assert parent_name(RunDirectory(folder / "runs" / result.out.strip())) == finished.name


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--epochs", "3"), 1, "has trained 4 epochs already, and --epochs is the whole length; give more"),
        (("--epochs", "-1"), 1, "train.epochs"),
        (("--epochs", "6", "--schedule", "linear"), 2, "--schedule linear: there are planned, hold, rewarm"),
        (("--epochs", "6", "--seed", "1"), 2, "keeps its recipe but for the epochs"),
        (("--epochs", "6", "--set", "data.batch_size=8"), 2, "keeps its recipe but for the epochs"),
        (("--epochs", "6", "--from", "best"), 2, "is trained on from its last checkpoint"),
        (("--schedule", "hold"), 2, "--schedule and --dry-run are for a run that is trained on"),
        (("--dry-run",), 2, "--schedule and --dry-run are for a run that is trained on"),
    ],
)
def test_what_cannot_be_meant(
    workbench: Command, folder: Path, finished: RunDirectory, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = workbench("run", "--resume", "last", *arguments)
    assert (result.code, result.out) == (code, "") and said in result.err and len(result.err.splitlines()) == 1
    assert count(folder) == 1


def test_one_that_is_at_work_is_not_trained_on(workbench: Command, finished: RunDirectory) -> None:
    write_status(finished, lasting("running"))
    result = workbench("run", "--resume", "last", "--epochs", "6")
    assert result.code == 1 and "is at work; it can be trained on when it is over" in result.err
