"""Hearing that a detached process has taken its run up, or why it has not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.helpers import bare_run
from tests.waiting import GIVE_UP
from workbench.runs.errors import RunError
from workbench.runs.launch import await_heartbeat, detach, last_words
from workbench.runs.store.status import going_on, new_status, write_status


def test_the_first_status_of_the_new_process_ends_the_wait(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_status(run, new_status("queued"))
    heard: list[float] = []

    def waited(seconds: float) -> None:
        heard.append(seconds)
        if len(heard) == 3:
            write_status(run, new_status("running"))

    await_heartbeat(run, os.getpid(), waited=waited)
    assert len(heard) == 3 and heard == sorted(heard)


def test_another_process_is_not_the_one_that_is_waited_for(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_status(run, replace(new_status("running"), pid=1))
    with pytest.raises(RunError, match="no sign of life from process"):
        await_heartbeat(run, os.getpid(), seconds=0.2)


def test_a_run_that_is_handed_over_keeps_what_it_had_reached(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_status(run, replace(new_status("stopped"), step=1060, steps=1380, test_accuracy=0.98))
    claimed = going_on(run, new_status("queued", os.getpid()))
    assert (claimed.state, claimed.step, claimed.steps, claimed.test_accuracy) == ("queued", 1060, 1380, 0.98)


def test_a_process_that_ends_first_is_quoted(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    pid = detach(run, "cpu", plugins=[tmp_path / "nowhere.py"])
    with pytest.raises(RunError, match=r"did not begin: .*nowhere\.py: cannot be read"):
        await_heartbeat(run, pid, seconds=GIVE_UP)


def test_one_that_ended_within_the_wait_has_begun(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_status(run, replace(new_status("finished"), pid=2**22 - 1))
    await_heartbeat(run, 2**22 - 1)


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the run was asked for in this folder, which is gone"):
        detach(bare_run(tmp_path), "cpu", folder=tmp_path / "gone")


def test_last_words(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    assert last_words(run) == "its process ended without a word"
    run.log_file.write_text("x" * 10_000 + "\nthe reason\n\n")
    assert last_words(run) == "the reason"
