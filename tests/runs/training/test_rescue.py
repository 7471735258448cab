"""The run's directory goes away while it is being trained: it notices, says so, and keeps what it has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs.fake_engine import started, trained
from tests.runs.helpers import bare_run, state_of, wait_for
from workbench.control import Control
from workbench.events import Noted, Stopped
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import read_events
from workbench.runs.store.status import read_status
from workbench.runs.training import rescue
from workbench.runs.training import writer as module
from workbench.runs.training.writer import RunWriter

PLUGIN = "# a plugin"


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer looks only when it is told to: what is done to its directory is done in peace."""
    monkeypatch.setattr(RunWriter, "_keep_alive", lambda writer: None)


def deleted(run: RunDirectory) -> None:
    shutil.rmtree(run.path)


def renamed(run: RunDirectory) -> None:
    run.path.rename(run.path.with_name("elsewhere"))


def root_removed(run: RunDirectory) -> None:
    shutil.rmtree(run.path.parent)


def events_deleted(run: RunDirectory) -> None:
    run.events_file.unlink()


def events_replaced(run: RunDirectory) -> None:
    run.events_file.rename(run.path / "old.jsonl")
    run.events_file.write_text("")


def replaced(run: RunDirectory) -> None:
    run.path.rename(run.path.with_name("elsewhere"))
    run.path.mkdir()


def replaced_by_a_copy(run: RunDirectory) -> None:
    copy = run.path.with_name("copy")
    shutil.copytree(run.path, copy)
    shutil.rmtree(run.path)
    copy.rename(run.path)


def a_file_in_its_place(run: RunDirectory) -> None:
    shutil.rmtree(run.path)
    run.path.write_text("")


WAYS: dict[str, tuple[Callable[[RunDirectory], None], str]] = {
    "deleted": (deleted, "was deleted"),
    "renamed": (renamed, "was renamed to "),
    "root removed": (root_removed, "was deleted"),
    "events deleted": (events_deleted, r"lost its events.jsonl"),
    "events replaced": (events_replaced, r"lost its events.jsonl, another is in its place"),
    "replaced": (replaced, "was renamed to "),
    "copied": (replaced_by_a_copy, "was replaced"),
    "a file": (a_file_in_its_place, "was replaced"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("quiet")
def test_it_is_noticed_said_and_kept(way: str, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    run, control = bare_run(root), Control()
    recipe = run.recipe_file.read_text()
    run.env_file.write_text('{"a": 1}')
    run.plugins.mkdir()
    (run.plugins / "mine.py").write_text(PLUGIN)
    go_away, said = WAYS[way]
    with RunWriter(run, control) as writer:
        writer.write(started())
        writer.write(trained(1))
        writer.look()
        assert not writer.trouble and not control.stop_requested
        go_away(run)
        writer.look()
        assert control.stop_requested
        assert said in writer.trouble
        assert writer.trouble.startswith(f"{run.path}: while it was being trained, the run's directory ")
        assert writer.trouble.endswith(f"; what it had is in {writer.run.path}")
        assert writer.notices == [f"{writer.trouble}; the run stops"]
        assert writer.run.path.parent == root
        assert state_of(writer.run) == "running"
        writer.write(trained(2))
        writer.write(Stopped(step=2))
        saved = writer.run
    kinds = [type(event).__name__ for event in read_events(saved)]
    assert kinds == ["RunStarted", "Trained", "Noted", "Trained", "Stopped"]
    assert (state_of(saved), saved.recipe_file.read_text()) == ("stopped", recipe)
    assert saved.env_file.read_text() == '{"a": 1}'
    assert saved.recipe_name == "small-rescued"
    assert saved.created == run.created
    if way not in ("deleted", "root removed", "copied", "a file"):  # the old one can still be reached
        assert (saved.plugins / "mine.py").read_text() == PLUGIN
    old = {"renamed": root / "elsewhere", "replaced": root / "elsewhere"}.get(way, run.path)
    if way in ("renamed", "events deleted", "events replaced", "replaced"):
        status = read_status(RunDirectory(old))
        assert status is not None
        assert (status.state, status.message) == ("stopped", writer.trouble)
    if way == "replaced":  # what is there now is not ours
        assert list(run.path.iterdir()) == []


def test_it_is_noticed_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    run, control = bare_run(tmp_path), Control()

    def delete() -> bool:
        shutil.rmtree(run.path, ignore_errors=True)  # as often as it takes: the heartbeat writes into it meanwhile
        return not run.path.exists()

    with RunWriter(run, control) as writer:
        wait_for(delete)
        wait_for(lambda: control.stop_requested)
        assert "was deleted" in writer.trouble or "lost its events.jsonl" in writer.trouble
        writer.write(Stopped(step=1))
    assert state_of(writer.run) == "stopped"
    assert writer.run != run


def test_what_ends_in_the_same_second_is_seen_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        writer.write(started())
        deleted(run)
        writer.write(Stopped(step=1))
    assert writer.trouble
    assert state_of(writer.run) == "stopped"
    assert not run.path.exists()


def test_the_recipe_as_it_was_written_last_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        run.recipe_file.write_text(run.recipe_file.read_text() + "# threads\n")
        writer.look()
        deleted(run)
        writer.write(Stopped(step=1))
    assert writer.run.recipe_file.read_text().endswith("# threads\n")


def test_it_is_kept_elsewhere_where_it_cannot_be_kept_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    run = bare_run(tmp_path / "runs")
    with RunWriter(run) as writer:
        root_removed(run)
        (tmp_path / "runs").write_text("no folder any more")
        writer.write(Stopped(step=1))
    assert writer.run.path.parent == here


def test_nothing_can_be_kept_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    run, control = bare_run(tmp_path / "runs"), Control()

    def mkdir(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with RunWriter(run, control) as writer:
        deleted(run)
        monkeypatch.setattr(rescue.Path, "mkdir", mkdir)
        writer.look()
        assert "nothing could be rescued" in writer.trouble
        assert "Permission denied" in writer.trouble
        assert control.stop_requested
        writer.look()
        assert len(writer.notices) == 1
        writer.status = module.after(writer.status, Stopped(step=1))
    assert writer.run == run


def test_a_disk_that_does_not_answer_is_no_directory_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    run = bare_run(tmp_path)
    real = os.stat

    def stat(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if str(path).startswith(str(run.path)):
            raise OSError(5, "Input/output error")
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    with RunWriter(run) as writer:
        monkeypatch.setattr(rescue.os, "stat", stat)
        writer.look()
        assert not writer.trouble
        monkeypatch.setattr(rescue.os, "stat", real)
        writer.write(Noted(message="it answers again"))
        writer.write(Stopped(step=1))
    assert state_of(run) == "stopped"


def test_a_rescued_run_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        deleted(run)
        writer.look()
        with pytest.raises(module.RunError, match="is being trained by"), RunWriter(writer.run):
            pass
        writer.write(Stopped(step=1))
