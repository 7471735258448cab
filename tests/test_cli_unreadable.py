"""Folders that others use too: what may not be read is counted and said, in every command, and the rest works."""

from __future__ import annotations

import codecs
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.helpers import SMALL, Command, bare_run, invoke, state_of
from workbench.recipe.registries import CHECKS, MODELS, SOURCES, TECHNIQUES
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Catalog
from workbench.runs.find.listing import find_run, list_runs, look_into
from workbench.runs.queue import jobs, worker
from workbench.runs.queue.worker import Worker, ensure_worker
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import new_status, write_status

FIRST, LAST, SECRET, HALF = (
    "20261120-142501-small-0001",
    "20261120-142502-small-0002",
    "20261121-142503-secret-0003",
    "20261119-142503-halfopen-0004",
)
NOBODY = 65534
DENIED = "Permission denied"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with runs of another user's, one of them closed and one with closed files.

    Whoever the tests run as: root becomes nobody, anyone else is refused by files without permissions all the same.
    """
    place = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    place.chmod(0o755)
    monkeypatch.chdir(place)
    monkeypatch.setenv("WORKBENCH_SETTINGS", str(place / "no settings.toml"))
    for name in ("WORKBENCH_RUNS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    root = Path("runs")
    for name in (FIRST, LAST):
        write_status(bare_run(root, name), replace(new_status("stopped"), test_accuracy=0.5))
    closed, half = bare_run(root, SECRET), bare_run(root, HALF)
    write_status(half, new_status("finished"))
    half.events_file.write_text("{}\n")
    (root / "20261118-moved").symlink_to("/nowhere/run")
    (root / "lost+found").mkdir()
    Path("recipes").mkdir()
    Path("recipes/mine.toml").write_text(SMALL)
    kept = [closed.path, root / "lost+found", half.status_file, half.events_file]
    for path in kept:
        path.chmod(0)
    # Python itself may lie where another user cannot look: what the commands import late is imported now.
    for registry in (TECHNIQUES, MODELS, SOURCES, CHECKS):
        list(registry)
    time.strptime("2026", "%Y")
    codecs.lookup("utf-8-sig")  # one that is not found is never looked for again, in later tests either
    root_user = os.geteuid() == 0
    if root_user:
        os.seteuid(NOBODY)
    try:
        yield place
    finally:
        if root_user:
            os.seteuid(0)
        for path in (place / "runs", place / "recipes", *(place / path for path in kept)):
            if path.exists():
                path.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def workbench(shared: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: invoke(capsys, *arguments)


def close(path: Path) -> None:
    """Take all permissions away, as the owner."""
    user = os.geteuid()
    if user == NOBODY:
        os.seteuid(0)
    path.chmod(0)
    os.seteuid(user)


def test_what_cannot_be_read_is_counted_and_said(workbench: Command) -> None:
    result = workbench("runs")
    assert result.code == 0
    assert [line.split()[1] for line in result.out.splitlines()[1:]] == [LAST, FIRST, HALF]
    (line,) = result.err.splitlines()
    assert line.startswith(
        "2 folders in runs cannot be read and are left out: 20261118-moved (is a link to /nowhere/run"
    )
    assert f"{SECRET} ({DENIED}" in line and line.endswith(f"chmod -R a+rX runs/{SECRET}")
    assert "lost+found" not in line


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("show", "last"), 0, f"run            {LAST}"),
        (("compare", "last", FIRST), 0, "the recipes are the same"),
        (("diff", "last", "mine"), 0, "no difference"),
        (("queue",), 0, ""),
        (("watch",), 2, ""),
        (("stop", "last"), 1, ""),
    ],
)
def test_the_rest_works(workbench: Command, command: tuple[str, ...], code: int, words: str) -> None:
    result = workbench(*command)
    assert result.code == code, result.err
    assert words in result.out
    assert "cannot be read and are left out" in result.err and "there are no runs" not in result.err


def test_a_run_that_is_meant_and_cannot_be_read_says_why(workbench: Command) -> None:
    for command in (
        ("show", "secret"), ("show", SECRET), ("watch", SECRET), ("run", "--resume", SECRET, "--device", "cpu"),
        ("compare", "last", SECRET), ("diff", "mine", SECRET), ("tag", SECRET, "x"), ("delete", SECRET, "--yes"),
        ("queue", "--first", SECRET), ("check", SECRET), ("show", f"runs/{SECRET}"), ("check", f"runs/{SECRET}"),
        ("diff", f"runs/{SECRET}/recipe.toml", "mine"),
    ):  # fmt: skip
        result = workbench(*command)
        assert result.code in (1, 2), command
        assert DENIED in result.err and "secret" in result.err, (command, result.err)
    result = workbench("show", FIRST)  # no doubt about what is meant
    assert (result.code, result.err) == (0, "")


def test_single_files_that_cannot_be_read_are_said(workbench: Command) -> None:
    half = RunDirectory(Path("runs") / HALF)
    assert state_of(half) == "unknown"
    result = workbench("show", "halfopen")
    assert result.code == 0 and f"events.jsonl: cannot be read: {DENIED}" in result.err
    assert f"message  status.json cannot be read: {DENIED}" in result.out and "process" not in result.out
    result = workbench("watch", "halfopen", "--json")
    assert result.code == 1 and "status.json cannot be read" in result.err
    first = RunDirectory(Path("runs") / FIRST)
    close(first.recipe_file)
    result = workbench("show", FIRST)
    assert result.code == 0 and f"recipe.toml: cannot be read: {DENIED}" in result.err
    result = workbench("run", "--resume", FIRST, "--device", "cpu")
    assert result.code == 2 and f"recipe.toml: cannot be read: {DENIED}" in result.err


def test_a_folder_of_runs_that_cannot_be_read_is_no_empty_one(workbench: Command) -> None:
    close(Path("runs"))
    for command in (
        ("runs",),
        ("show", "last"),
        ("watch",),
        ("queue",),
        ("run", "--resume", "last", "--device", "cpu"),
    ):
        result = workbench(*command)
        assert result.code == 1 and result.out == ""
        assert result.err.startswith(f"runs: cannot be read: {DENIED}"), command
        assert result.err.endswith("choose another folder with --runs\n")
    result = workbench("run", "mine", "--device", "cpu")
    assert result.code == 1 and result.err.startswith(f"runs: cannot be written: {DENIED}")
    result = workbench("check", "nine", "--device", "cpu")
    assert "no recipe 'nine'; did you mean 'mine'" in result.err and "runs: cannot be read" in result.err
    assert Catalog(Path("runs")).refresh().problem.startswith("runs: cannot be read")


def test_a_folder_of_recipes_that_cannot_be_read_is_said(workbench: Command) -> None:
    close(Path("recipes"))
    result = workbench("recipes")
    assert result.code == 0 and "digits" in result.out
    assert result.err.startswith(f"recipes: cannot be read: {DENIED}")
    result = workbench("check", "mine", "--device", "cpu")
    assert result.code == 2 and "recipes: cannot be read" in result.err


@pytest.mark.parametrize("command", [("runs",), ("show", "last"), ("run", "mine", "--device", "cpu")])
def test_a_file_or_a_broken_link_in_its_place(workbench: Command, command: tuple[str, ...]) -> None:
    user = os.geteuid()
    if user == NOBODY:
        os.seteuid(0)
    Path("file").write_text("")
    Path("link").symlink_to("/nowhere/runs")
    os.seteuid(user)
    result = workbench(*command, "--runs", "file")
    assert result.code == 1 and "is not a folder" in result.err and "--runs" in result.err
    result = workbench(*command, "--runs", "link")
    assert result.code == 1 and "link to /nowhere/runs, which is not there" in result.err and "--runs" in result.err


@pytest.mark.parametrize(
    "command",
    [("run", "digits", "--device", "cpu"), ("run", "digits"), ("check", "digits"), ("bench", "digits"), ("runs",),
     ("show", "last"), ("watch",), ("queue",), ("diff", "v1", "last"),
     ("check", "mine", "--device", "cpu"), ("compare", "a", "b"), ("run", "--resume", "last", "--device", "cpu"),
     ("run", "digits", "--device", "cpu", "--detach"), ("run", "digits", "--device", "cpu", "--queue"),
     ("check", "mine.toml", "--device", "cpu"), ("profile", "digits", "--try", "--save", "x", "--device", "cpu",
      "--report", "x.json")],
)  # fmt: skip
def test_a_current_folder_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    monkeypatch.delenv("WORKBENCH_RUNS", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    os.chdir(folder)
    folder.rmdir()
    result = invoke(capsys, *command)
    others = [invoke(capsys, *words) for words in (("techniques", "cosine"), ("recipes",), ("diff", "v1", "v2"))]
    os.chdir(tmp_path)
    assert result.code in (1, 2) and result.out == ""
    assert f"the current folder, {folder}, was deleted: go to one that exists" in result.err.splitlines()[-1]
    assert [other.code for other in others] == [0, 0, 0]  # what needs no folder works


def test_a_reason_is_found_without_permissions_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for whoever cannot be refused: what the system answers is put in its mouth."""
    for name in (FIRST, SECRET):
        bare_run(tmp_path, name)
    ask = os.stat

    def refuse(path: object, *arguments: object, **more: object) -> os.stat_result:
        if str(path).endswith(f"{SECRET}/recipe.toml"):
            raise PermissionError(13, "Permission denied", str(path))
        return ask(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refuse)
    folder = look_into(tmp_path)
    assert folder.names == (FIRST,) and folder.unreadable == ((SECRET, "Permission denied"),)
    heard: list[str] = []
    assert [found.run.name for found in list_runs(tmp_path, heard.append)] == [FIRST]
    assert find_run(tmp_path, "last", heard.append).name == FIRST
    assert len(heard) == 2 and all("1 folder in" in line and "is left out" in line for line in heard)
    with pytest.raises(RunError, match="no run 'secret' can be read: 1 folder"):
        find_run(tmp_path, "secret")
    assert Catalog(tmp_path).refresh().unreadable == 1


def test_another_users_request_waits_for_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker neither starts nor drops what its user may not train, and goes on with the rest."""
    theirs, ours = bare_run(tmp_path, FIRST), bare_run(tmp_path, LAST)
    for run in (theirs, ours):
        jobs.add(run, "cpu")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != FIRST)
    begun: list[str] = []
    monkeypatch.setattr(worker, "detach", lambda run, *_, **__: begun.append(run.name) or 1)
    first = jobs.entries(tmp_path)[0]
    assert first.here and not first.mine
    assert jobs.waits_for(first, []).endswith("who alone may start it")
    work = Worker(tmp_path)
    work.turn()
    assert begun == [LAST] and [entry.run.name for entry in jobs.entries(tmp_path)] == [FIRST]
    assert state_of(theirs) == "queued" and ensure_worker(tmp_path) is None
    left: list[int] = []
    work._starting.clear()
    work.work(lambda: left.append(1))  # nobody waits for this user any more
    assert left == [1]
