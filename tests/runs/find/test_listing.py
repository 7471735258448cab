from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.runs.helpers import SMALL, bare_run, lasting
from workbench.runs.errors import RunError, RunNotFound
from workbench.runs.find.listing import find_run, list_runs, newest_live_run
from workbench.runs.store.status import Status, write_status

NAMES = ("20261118-090000-v2-0001", "20261120-090000-v2-0002", "20261119-090000-resnet20-0003")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        bare_run(tmp_path, name)
    (tmp_path / "no run").mkdir()
    (tmp_path / "a file").write_text("")
    return tmp_path


def test_the_newest_comes_first(root: Path) -> None:
    write_status(bare_run(root, "20261121-000000-digits-0004"), Status("finished", test_accuracy=0.5))
    found = list_runs(root)
    assert [run.run.name[-4:] for run in found] == ["0004", "0002", "0003", "0001"]
    assert [run.state for run in found] == ["finished", "queued", "queued", "queued"]
    assert [run.recipe for run in found] == ["digits", "v2", "resnet20", "v2"]
    assert not any(run.live for run in found)


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []


def test_a_run_is_found_by_what_a_person_types(root: Path) -> None:
    for text, number in (
        ("20261118-090000-v2-0001", "0001"),
        ("20261119", "0003"),
        ("resnet", "0003"),
        ("0002", "0002"),
        ("last", "0002"),
        (str(root / NAMES[0]), "0001"),
        (str(root / NAMES[0] / "recipe.toml"), "0001"),
    ):
        assert find_run(root, text).name.endswith(number)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v2", "could be 2 runs: 20261120-090000-v2-0002, 20261118-090000-v2-0001; write more"),
        ("202611", "could be 3 runs"),
        ("resnet21", "no run 'resnet21'"),
        ("20261119-090000-resnet20-0004", "did you mean '20261119-090000-resnet20-0003'"),
        ("", "no run ''"),
    ],
)
def test_what_is_not_clear_is_said(root: Path, text: str, message: str) -> None:
    with pytest.raises(RunNotFound, match=message):
        find_run(root, text)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    for text in ("last", "x"):
        with pytest.raises(RunNotFound, match="there are no runs in"):
            find_run(tmp_path, text)


def test_only_a_live_run_is_live(root: Path) -> None:
    with pytest.raises(RunNotFound, match=r"no run in .* is live"):
        newest_live_run(root)
    far, near = bare_run(root, "20261122-000000-a-0005"), bare_run(root, "20261121-000000-b-0006")
    write_status(near, lasting("running"))
    assert newest_live_run(root) == near
    write_status(far, Status("running", pid=1, host="elsewhere", heartbeat=time.time() - 60))
    assert newest_live_run(root) == near
    write_status(far, Status("running", pid=1, host="elsewhere", heartbeat=time.time()))
    assert newest_live_run(root) == far


def test_a_thousand_runs_are_listed_in_no_time(tmp_path: Path) -> None:
    status = lasting("running")
    for number in range(1000):
        run = bare_run(tmp_path, f"20261120-1425{number % 60:02}-small-{number:04x}")
        assert run.recipe_file.read_text() == SMALL
        write_status(run, status)
    began = time.process_time()
    assert len(list_runs(tmp_path)) == 1000
    assert time.process_time() - began < 1.5  # 0.1 s of a processor


def test_what_stands_in_a_recipes_place_is_said(root: Path) -> None:
    recipe = root / NAMES[1] / "recipe.toml"
    recipe.unlink()
    os.mkfifo(recipe)
    told: list[str] = []
    assert [run.run.name for run in list_runs(root, told.append)] == [NAMES[2], NAMES[0]]
    assert f"{NAMES[1]}" in told[0] and "its recipe.toml: it is a named pipe, not a file" in told[0]
    with pytest.raises(RunError, match=r"its recipe\.toml: it is a named pipe"):
        find_run(root, NAMES[1])
