from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs.helpers import bare_run, state_of
from tests.waiting import wait_for
from workbench.runs.store import status as module
from workbench.runs.store.status import (
    Status,
    effective_state,
    new_status,
    process_started,
    read_status,
    write_status,
)


def test_a_status_comes_back_as_it_was(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    status = dataclasses.replace(new_status("running"), loss=1.5, best=None, message="é")
    write_status(run, status)
    assert read_status(run) == status
    assert state_of(run) == "running"
    assert [path.name for path in run.path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": 3}', '{"pid": 1}', '{"state": "running", "pid": "x"}'])
def test_a_broken_status_is_no_status(tmp_path: Path, text: str) -> None:
    run = bare_run(tmp_path)
    run.status_file.write_text(text)
    assert read_status(run) is None
    assert state_of(run) == "queued"


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    run.status_file.write_text('{"state": "finished", "mood": "good"}')
    assert read_status(run) == Status("finished")


@pytest.mark.parametrize("state", ["running", "paused"])
def test_claims_of_being_alive_are_doubted(state: str) -> None:
    alive = new_status(state)
    assert effective_state(alive) == state
    assert effective_state(dataclasses.replace(alive, heartbeat=time.time() - 16)) == "stalled"
    assert effective_state(dataclasses.replace(alive, heartbeat=time.time() - 14)) == state
    assert effective_state(dataclasses.replace(alive, host="elsewhere")) == "unknown"
    assert effective_state(dataclasses.replace(alive, boot_id="an earlier one")) == "lost"
    assert effective_state(dataclasses.replace(alive, namespace="pid:[1]")) == "unknown"


@pytest.mark.parametrize("state", ["finished", "stopped", "diverged", "failed", "lost"])
def test_an_end_is_believed(state: str) -> None:
    assert effective_state(Status(state, pid=2**22 + 1, host="elsewhere")) == state


def test_a_dead_process_is_lost_even_before_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        status = new_status("running", child.pid)
        assert effective_state(status) == "running"
        child.kill()
        wait_for(lambda: effective_state(status) == "lost")  # a zombie
    assert effective_state(status) == "lost"
    assert effective_state(dataclasses.replace(status, state="queued")) == "lost"


def test_another_process_with_the_same_number_is_not_taken_for_ours() -> None:
    mine = new_status("running")
    assert mine.process_started is not None
    assert effective_state(dataclasses.replace(mine, process_started=mine.process_started - 5)) == "lost"


def test_a_run_that_nobody_has_started_is_queued(tmp_path: Path) -> None:
    assert state_of(bare_run(tmp_path)) == "queued"
    assert effective_state(Status("queued")) == "queued"


def test_processes_are_known_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoProc:
        def __init__(self, path: str) -> None: ...

        def read_text(self, **_: str) -> str:
            raise FileNotFoundError

        def exists(self) -> bool:
            return False

    monkeypatch.setattr(module, "Path", NoProc)
    here = process_started(os.getpid())
    assert here is not None and 0 < time.time() - here < 10_000
    assert process_started(2**22 + 1) is None
