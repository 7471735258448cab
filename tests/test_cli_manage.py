"""The commands that keep order among runs, and the list that finds them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs.helpers import Command, environment, invoke, lasting
from tests.tui.many_runs import many_runs
from tests.waiting import GIVE_UP, wait_for
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import read_notes
from workbench.runs.store.status import write_status


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: invoke(capsys, *arguments)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunDirectory]:
    """Ten runs, the newest first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_RUNS", raising=False)
    return many_runs(tmp_path / "runs", 10, time.time())[::-1]


def names(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines()[1:]]


def test_runs_are_found_and_sorted(workbench: Command, runs: list[RunDirectory]) -> None:
    assert names(workbench("runs").out) == [run.name for run in runs]
    found = names(workbench("runs", "recipe:wide", "state:finished").out)
    assert found and all("wide" in name for name in found)
    assert found == names(workbench("runs", "recipe:wide state:finished").out)
    assert not set(found) & set(names(workbench("runs", "!wide").out))
    assert not set(found) & set(names(workbench("runs", "--", "-wide").out))
    plain = json.loads(workbench("runs", "acc>50%", "--sort", "-acc", "--limit", "3", "--json").out)
    shares = [run["test_accuracy"] for run in plain]
    assert len(shares) == 3 and shares == sorted(shares, reverse=True) and min(shares) > 0.5
    assert {"tags", "note", "baseline", "seconds", "seed"} <= set(plain[0])
    assert "paper" in workbench("runs", "tag:paper").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("acurracy>0.9",), "no field 'acurracy'; did you mean 'accuracy'?"),
        (("--sort", "sed"), "--sort: no field 'sed'; did you mean 'seed'?"),
        (("nothing-like-it",), "no run in runs is like that (10 looked at)"),
    ],
)
def test_what_is_not_found_is_said(
    workbench: Command, runs: list[RunDirectory], arguments: tuple[str, ...], message: str
) -> None:
    result = workbench("runs", *arguments)
    assert result.err.strip() == message and not result.out
    assert result.code == (0 if "like that" in message else 2)


def test_tags_and_notes(workbench: Command, runs: list[RunDirectory]) -> None:
    run = runs[0]
    assert workbench("tag", "last", "best", "paper,wide").out == f"{run.name}: best paper wide\n"
    assert workbench("tag", "last", "best", "wide", "--remove").out == f"{run.name}: paper\n"
    assert workbench("note", "last", "for the table").out == f"{run.name}: for the table\n"
    assert read_notes(run).tags == ("paper",) and read_notes(run).note == "for the table"
    assert names(workbench("runs", '"the table" tag=paper').out)[0] == run.name
    result = workbench("tag", "last", "a:b")
    assert result.code == 1 and "'a:b' cannot be a tag" in result.err
    run.notes_file.write_text("tags = [")
    result = workbench("tag", "last", "other")
    assert result.code == 1 and "is not TOML" in result.err and run.notes_file.read_text() == "tags = ["


def test_comparing(workbench: Command, runs: list[RunDirectory]) -> None:
    result = workbench("compare", runs[0].name, runs[1].name, runs[0].name)
    assert result.code == 0
    assert result.out.splitlines()[:2] == [f"1: {runs[0].name}", f"2: {runs[1].name}"]
    assert "model.widths" in result.out and "test accuracy" in result.out and "2 − 1" in result.out
    plain = json.loads(workbench("compare", runs[0].name, runs[1].name, "--json").out)
    assert [run["name"] for run in plain["runs"]] == [runs[0].name, runs[1].name]
    assert {"path": "train.epochs", "values": [20.0, 10.0]} in plain["recipe"]
    assert "needs two runs" in workbench("compare", "last").err
    runs[1].recipe_file.write_text("name = ")
    result = workbench("compare", runs[0].name, runs[1].name)
    assert result.code == 1 and "recipe.toml" in result.err and len(result.err.splitlines()) == 1


def test_deleting(workbench: Command, runs: list[RunDirectory]) -> None:
    result = workbench("delete", "last")
    assert result.code == 2 and "--yes" in result.err and runs[0].exists()
    write_status(runs[1], lasting("running"))
    result = workbench("delete", runs[0].name, runs[1].name, "--yes")
    assert result.code == 1 and "is running; stop it first: workbench stop" in result.err
    assert runs[0].exists() and runs[1].exists()  # all of them or none
    result = workbench("delete", runs[0].name, "last", runs[2].name, "--yes")
    assert result.out == f"deleted {runs[0].name}\ndeleted {runs[2].name}\n"
    assert not runs[0].exists() and not runs[2].exists() and runs[1].exists()
    assert "kept for 7 days, at most 10 GB; workbench delete --undo brings back what was deleted last" in result.err
    assert not {runs[0].name, runs[2].name} & set(names(workbench("runs").out))


def test_what_was_deleted_comes_back_or_goes_for_good(workbench: Command, runs: list[RunDirectory]) -> None:
    workbench("delete", runs[0].name, runs[2].name, "--yes")
    workbench("delete", runs[4].name, "--yes")
    assert workbench("delete", "--undo").out == f"brought back {runs[4].name}\n"
    assert workbench("delete", "--undo", runs[2].name).out == f"brought back {runs[2].name}\n"
    assert runs[2].exists() and runs[4].exists() and not runs[0].exists()
    result = workbench("delete", "--empty")
    assert result.code == 2 and "--yes" in result.err
    assert workbench("delete", "--empty", "--yes").out == "removed 1 deleted run for good\n"
    assert workbench("delete", "--empty", "--yes").out == "nothing is in the trash\n"
    result = workbench("delete", "--undo")
    assert result.code == 1 and "nothing was deleted in runs that could be brought back" in result.err
    assert not list(runs[1].path.parent.glob(".trash*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which runs? name them, or last"),
        (("--undo", "--empty"), "exclude each other"),
        (("last", "--empty"), "takes no names"),
    ],
)
def test_what_delete_cannot_mean(
    workbench: Command, runs: list[RunDirectory], arguments: tuple[str, ...], message: str
) -> None:
    result = workbench("delete", *arguments)
    assert result.code == 2 and message in result.err and len(result.err.splitlines()) == 1


def test_runs_of_another_folder_come_back_there(workbench: Command, runs: list[RunDirectory], tmp_path: Path) -> None:
    (tmp_path / "else where").mkdir()
    moved = RunDirectory(runs[0].path.rename(tmp_path / "else where" / runs[0].name))
    told = workbench("delete", str(moved.path), "--yes").err
    folder = tmp_path / "else where"
    assert f"workbench delete --undo --runs '{folder}' brings back" in told and not moved.exists()
    assert workbench("delete", "--undo", "--runs", str(folder)).code == 0 and moved.exists()


@pytest.mark.terminal
@pytest.mark.parametrize(("answer", "there"), [(b"n\n", True), (b"y\n", False)])
def test_a_person_is_asked(runs: list[RunDirectory], tmp_path: Path, answer: bytes, there: bool) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "workbench", "delete", runs[0].name]
    child = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""

    def asked() -> bool:
        nonlocal said
        said += os.read(master, 1000)
        return b"MB)? [y/N]" in said

    wait_for(asked)
    os.write(master, answer)
    child.wait(timeout=GIVE_UP)
    os.close(master)
    assert runs[0].name.encode() in said and runs[0].exists() == there
