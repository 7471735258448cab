"""``workbench run --queue`` and ``workbench queue``, with real processes and a fake engine."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.runs.helpers import FAKE_ENGINE, SMALL, Command, invoke, worker_lives
from tests.waiting import wait_for
from workbench.recipe import plugins
from workbench.runs.find.listing import list_runs
from workbench.runs.queue import jobs
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import summary


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_RUNS", "WORKBENCH_DATA", "FAKE_END"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAKE_STEP", "0.05")
    monkeypatch.setattr(plugins, "_loaded", {})
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: invoke(capsys, *arguments)


RUN = ("run", "small.toml", "--device", "cpu", "--plugin", str(FAKE_ENGINE))


def state(root: Path, name: str) -> str:
    return summary(RunDirectory(root / name)).state


def test_queued_runs_train_one_after_the_other(folder: Path, workbench: Command) -> None:
    root = folder / "runs"
    first = workbench(*RUN, "--detach").out.strip()
    second = workbench(*RUN, "--queue")
    assert second.code == 0 and second.err == f"place 1 of the queue; it waits for {first}\n"
    third = json.loads(workbench(*RUN, "--queue", "--json").out)
    assert third["place"] == 2 and third["waits_for"] == f"{second.out.strip()}, which is queued before it"
    assert worker_lives(root)
    listed = json.loads(workbench("queue", "--json").out)
    assert [(entry["place"], entry["name"], entry["device"]) for entry in listed] == [
        (1, second.out.strip(), "cpu"),
        (2, third["run"], "cpu"),
    ]
    assert workbench("queue").out.splitlines()[0].split() == ["place", "run", "device", "since", "waits", "for"]
    wait_for(lambda: state(root, third["run"]) == "finished")
    # Each began after the one before it had ended.
    spans = []
    for name in (first, second.out.strip(), third["run"]):
        events = [json.loads(line) for line in (root / name / "events.jsonl").read_text().splitlines()]
        spans.append((events[0]["time"], events[-1]["time"]))
        # The log is read beside the events, which have said how it ended.
        assert "finished" not in (root / name / "log.txt").read_text()
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert "nothing is queued" in workbench("queue").err
    wait_for(lambda: not worker_lives(root))


def test_watching_a_queued_run_waits_for_it(folder: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEP", "0.2")
    workbench(*RUN, "--detach")
    monkeypatch.setenv("FAKE_STEP", "0.05")
    name = workbench(*RUN, "--queue").out.strip()
    watched = workbench("watch", name)
    assert watched.code == 0 and "place 1 of the queue" in watched.err and "finished: " in watched.out


def test_changing_the_order_and_taking_out(folder: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEP", "1")  # at work until it is stopped
    running = workbench(*RUN, "--detach").out.strip()
    with_queue = [workbench(*RUN, "--queue").out.strip() for _ in range(2)]
    moved = workbench("queue", "--first", with_queue[1], "--json")
    assert [entry["name"] for entry in json.loads(moved.out)] == with_queue[::-1]
    for name in with_queue:
        assert workbench("queue", "--remove", name).code == 0
        assert state(folder / "runs", name) == "stopped"
    again = workbench("queue", "--remove", with_queue[0])
    assert again.code == 2 and "is not in the queue; workbench queue lists what is" in again.err
    assert workbench("queue", "--first", "nothing").code == 2
    assert workbench("queue", "--first", "a", "--remove", "b").code == 2
    assert workbench(*RUN, "--queue", "--detach").code == 2
    asked = workbench("run", "--resume", running, "--queue")
    assert asked.code == 1 and "at work already" in asked.err
    workbench("stop", running)
    wait_for(lambda: state(folder / "runs", running) in ("stopped", "finished"))


def test_a_stopped_run_can_wait_for_its_turn_too(
    folder: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder / "runs"
    monkeypatch.setenv("FAKE_STEP", "1")  # slow enough to be stopped, on a busy machine too
    name = workbench(*RUN, "--detach").out.strip()
    wait_for(lambda: (root / name / "events.jsonl").exists())
    workbench("stop", name)
    wait_for(lambda: state(root, name) == "stopped")
    monkeypatch.setenv("FAKE_STEP", "0.05")
    workbench("run", "--resume", name, "--queue", "--plugin", str(FAKE_ENGINE))
    wait_for(lambda: state(root, name) == "finished")
    assert '"kind":"resumed"' in (root / name / "events.jsonl").read_text()


def test_what_cannot_be_started_says_why_and_the_next_one_trains(folder: Path, workbench: Command) -> None:
    plugin = folder / "mine.py"
    plugin.write_text("")
    workbench(*RUN, "--detach")
    bad = workbench(*RUN, "--plugin", str(plugin), "--queue").out.strip()
    good = workbench(*RUN, "--queue").out.strip()
    plugin.unlink()
    wait_for(lambda: state(folder / "runs", good) == "finished")
    assert state(folder / "runs", bad) == "failed"
    assert "mine.py: cannot be read" in workbench("show", bad).out
    watched = workbench("watch", bad)
    assert watched.code == 1 and "failed: " in watched.err and "mine.py" in watched.err


def kill_worker(root: Path) -> None:
    """Kill -9 whoever looks after the queue of this test."""
    for process in psutil.process_iter(["cmdline"]):
        if {"workbench.runs.queue.worker", str(root.resolve())} <= set(process.info["cmdline"] or []):
            os.kill(process.pid, signal.SIGKILL)
            wait_for(lambda process=process: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    "seconds", ["0.05", pytest.param("0.4", marks=pytest.mark.slow)], ids=["at its end", "by its heartbeat"]
)
def test_a_queue_without_its_process_is_revived_by_a_run_at_work(
    folder: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("FAKE_STEP", seconds)
    root = folder / "runs"
    first = workbench(*RUN, "--detach").out.strip()
    monkeypatch.setenv("FAKE_STEP", "0.01")
    second = workbench(*RUN, "--queue").out.strip()
    wait_for(lambda: state(root, first) == "running")
    kill_worker(root)
    if seconds == "0.4":
        wait_for(lambda: worker_lives(root), 15)
        assert state(root, first) == "running"
    wait_for(lambda: state(root, second) == "finished", 60)  # nobody has run a command meanwhile


def test_a_queue_without_its_process_goes_on_when_it_is_looked_at(
    folder: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_STEP", "0.4")
    root = folder / "runs"
    first = workbench(*RUN, "--detach").out.strip()
    monkeypatch.setenv("FAKE_STEP", "0.01")
    name = workbench(*RUN, "--queue").out.strip()
    wait_for(lambda: state(root, first) == "running")
    at_work = summary(RunDirectory(root / first)).status
    assert at_work is not None
    os.kill(at_work.pid, signal.SIGSTOP)  # or it would see to it
    kill_worker(root)
    os.kill(at_work.pid, signal.SIGKILL)
    wait_for(lambda: not worker_lives(root))
    assert jobs.position(RunDirectory(root / name)) == 1
    assert "nothing was looking after the queue; it goes on now" in workbench("queue").err
    wait_for(lambda: state(root, name) == "finished")
    assert len(list_runs(root)) == 2
