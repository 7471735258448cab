from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from tests.runs.helpers import bare_run, lasting
from workbench.events import Stopped
from workbench.runs.errors import RunError
from workbench.runs.find.listing import list_runs
from workbench.runs.store import trash
from workbench.runs.store.notes import baseline, pin
from workbench.runs.store.status import Status, new_status, write_status
from workbench.runs.store.trash import deletions, remove, size, tidy, undeletable
from workbench.runs.training.writer import RunWriter


def test_a_run_that_ended_goes_with_all_its_files(tmp_path: Path) -> None:
    run, other = bare_run(tmp_path, "gone"), bare_run(tmp_path, "other")
    run.checkpoints.mkdir()
    (run.checkpoints / "last.pt").write_bytes(b"x" * 1000)
    write_status(run, Status("finished"))
    assert size([run]) == 1000 + run.recipe_file.stat().st_size + run.status_file.stat().st_size
    pin(tmp_path, run.name)
    remove(run)
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["other"]
    assert baseline(tmp_path) == "" and other.exists()
    with pytest.raises(RunError, match="there is no run here"):
        remove(run)
    ((deleted,),) = [deletion.runs for deletion in deletions(tmp_path)]
    with pytest.raises(RunError, match="is deleted already"):
        remove(deleted)
    tidy(tmp_path, everything=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.parametrize("state", ["queued", "running", "paused"])
def test_a_live_run_is_refused(tmp_path: Path, state: str) -> None:
    run = bare_run(tmp_path, "alive")
    write_status(run, lasting(state))
    with pytest.raises(RunError, match=f"'alive' is {state}; stop it first: workbench stop alive"):
        remove(run)
    assert run.exists()


def test_a_stalled_run_and_one_at_work_elsewhere_are_refused(tmp_path: Path) -> None:
    run = bare_run(tmp_path, "alive")
    write_status(run, dataclasses.replace(new_status("running"), heartbeat=time.time() - 60))
    assert "is stalled" in undeletable(run)
    write_status(run, Status("running", pid=1, host="elsewhere", heartbeat=time.time()))
    assert "at work on elsewhere" in undeletable(run)
    write_status(run, Status("running", pid=1, host="elsewhere", heartbeat=time.time() - 3600))
    assert undeletable(run) == ""


def test_who_holds_the_lock_holds_the_run(tmp_path: Path) -> None:
    run = bare_run(tmp_path, "held")
    with RunWriter(run) as writer:
        writer.write(Stopped(step=1))  # says that it is over, and has not left yet
        assert undeletable(run) == ""
        with pytest.raises(RunError, match="held by another process"):
            remove(run)
        assert run.exists()
    remove(run)


def test_half_a_run_never_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(bare_run(tmp_path, "half"))
    monkeypatch.setattr(trash.shutil, "rmtree", lambda path, ignore_errors: None)
    assert tidy(tmp_path, everything=True) == 1
    assert list_runs(tmp_path) == [] and len(list(tmp_path.glob(".deleted-*/half/recipe.toml"))) == 1
    assert deletions(tmp_path) == []
    monkeypatch.undo()
    remove(bare_run(tmp_path, "next"))
    tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".trash"]  # what was left behind went too


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bare_run(tmp_path, "kept")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(RunError, match="cannot be deleted: Permission denied; it is as it was"):
        remove(run)
    assert run.exists()
    assert not (tmp_path / ".trash").exists()
