"""The queue's folder: order, taking out, foreign and torn files, several writers; and what its worker starts."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.fake_engine import started
from tests.runs.helpers import SMALL, bare_run, lasting, state_of, worker_lives
from workbench.devices import Gpu
from workbench.events import to_json
from workbench.runs.errors import RunError
from workbench.runs.queue import held_devices, jobs, worker
from workbench.runs.queue.held_devices import ANY, LiveRuns, free_device, gpu_numbers, holders
from workbench.runs.queue.worker import Worker
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import RunSummary, new_status, read_status, summary, write_status


def runs(root: Path, count: int) -> list[RunDirectory]:
    return [bare_run(root, f"20261120-14250{number}-small-000{number}") for number in range(count)]


def names(root: Path) -> list[str]:
    return [entry.run.name[-1] for entry in jobs.entries(root)]


def at_work(root: Path, device: str = "cpu", name: str = "20261119-090000-busy-ffff") -> RunDirectory:
    """A run that this very process is at work on."""
    run = bare_run(root, name)
    write_status(run, replace(lasting("running"), device=device))
    return run


def test_order_and_places(tmp_path: Path) -> None:
    a, b, c = runs(tmp_path, 3)
    assert [jobs.add(run, "cpu") for run in (a, b, c)] == [1, 2, 3]
    assert names(tmp_path) == ["0", "1", "2"] and jobs.position(b) == 2
    assert {state_of(run) for run in (a, b, c)} == {"queued"}
    assert not any(summary(run).live for run in (a, b, c))
    assert jobs.move_to_front(c) and names(tmp_path) == ["2", "0", "1"]
    assert jobs.move_to_front(c) and jobs.move_to_front(b) and names(tmp_path) == ["1", "2", "0"]
    assert jobs.add(a, "auto") == 3  # keeps its place, is started as asked for last
    assert jobs.entries(tmp_path)[2].job.device == "auto"
    assert jobs.remove(c) and names(tmp_path) == ["1", "0"] and jobs.position(c) is None
    assert not jobs.remove(c) and not jobs.move_to_front(c)


def test_a_run_that_is_taken_out_is_what_it_was(tmp_path: Path) -> None:
    new, stopped = runs(tmp_path, 2)
    write_status(stopped, replace(new_status("stopped"), step=12, steps=20))
    for run in (new, stopped):
        jobs.add(run)
    jobs.add(stopped, "cpu")
    waiting = read_status(stopped)
    assert waiting is not None and (waiting.state, waiting.pid, waiting.step) == ("queued", 0, 12)
    assert jobs.remove(new) and jobs.remove(stopped)
    assert state_of(new) == "stopped" and "before it began" in (read_status(new) or new_status("")).message
    assert state_of(stopped) == "stopped" and (read_status(stopped) or new_status("")).step == 12


def test_a_run_that_is_gone_can_be_taken_out(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, 1)
    jobs.add(run)
    run.recipe_file.unlink()
    run.status_file.unlink()
    run.path.rmdir()
    assert jobs.remove(run) and not run.path.exists()


@pytest.mark.parametrize(
    ("state", "words"), [("running", "at work already"), ("finished", "train on with: workbench run --resume")]
)
def test_what_cannot_be_queued(tmp_path: Path, state: str, words: str) -> None:
    (run,) = runs(tmp_path, 1)
    write_status(run, lasting(state))
    with pytest.raises(RunError, match=words):
        jobs.add(run)
    assert jobs.entries(tmp_path) == []


def test_files_that_are_no_requests_are_left_alone(tmp_path: Path) -> None:
    a, b = runs(tmp_path, 2)
    jobs.add(a)
    folder = jobs.folder_of(tmp_path)
    (folder / f"4999999999-{b.name}.json").write_text('{"run": "2026')
    (folder / "4999999998-other.json").write_text(json.dumps({"run": b.name}))
    (folder / "4999999997-...json").write_text(json.dumps({"run": ".."}))
    (folder / "notes.txt").write_text("mine")
    assert names(tmp_path) == ["0"] and jobs.position(a) == 1
    assert len(jobs.unreadable(tmp_path)) == 3
    assert all(reason for _, reason in jobs.unreadable(tmp_path))
    assert jobs.add(b) == 2


def test_no_queue_is_empty_and_makes_no_folder(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, 1)
    assert jobs.entries(tmp_path / "nowhere") == [] and jobs.position(run) is None
    assert not jobs.remove(run) and not jobs.move_to_front(run) and not worker_lives(tmp_path)
    assert worker.ensure_worker(tmp_path) is None
    assert not jobs.folder_of(tmp_path).exists()


def _add(path: Path) -> None:
    jobs.add(RunDirectory(path))


def test_several_processes_may_queue_at_once(tmp_path: Path) -> None:
    made = runs(tmp_path, 9)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_add, args=(run.path,)) for run in made]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert sorted(names(tmp_path)) == [str(number) for number in range(9)]
    assert len({entry.file.name[:10] for entry in jobs.entries(tmp_path)}) == 9


# Devices


def gpus(*free: int) -> list[Gpu]:
    return [Gpu(number, f"GPU-{number}", "a GPU", memory, 80) for number, memory in enumerate(free)]


@pytest.mark.parametrize(
    ("option", "held", "visible", "found"),
    [
        ("auto", [], None, "cuda:1"),  # the one with the most free memory
        ("auto", ["cuda:1"], None, "cuda:0"),
        ("auto", ["cuda:0", "cuda:1"], None, None),
        ("auto", ["cpu"], None, "cuda:1"),
        ("cuda:0", ["cuda:1"], None, "cuda:0"),
        ("cuda:0", ["cuda:0"], None, None),
        ("cpu", ["cuda:0"], None, "cpu"),
        ("cpu", [ANY], None, None),
        ("auto", [], "0", "cuda:0"),
        ("auto", ["cuda:0"], "1", None),
        ("auto", [], "1,0", "cuda:0"),  # torch's first is the driver's second
        ("auto", ["cuda:0"], "-1", "cpu"),
        ("auto", [], "", "cpu"),
    ],
)
def test_which_device_is_free(
    monkeypatch: pytest.MonkeyPatch, option: str, held: list[str], visible: str | None, found: str | None
) -> None:
    monkeypatch.setattr(held_devices, "list_gpus", lambda: gpus(10, 70))
    assert free_device(option, held, visible) == found


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_devices, "list_gpus", list)
    assert gpu_numbers("0,1") == [] and free_device("auto", []) == "cpu" and free_device("auto", ["cpu"]) is None


def test_live_runs_of_this_host(tmp_path: Path) -> None:
    run = at_work(tmp_path)
    paused = at_work(tmp_path, "cuda:0", "20261118-090000-busy-0001")
    write_status(paused, replace(lasting("paused"), device="cuda:0"))
    other = bare_run(tmp_path, "20261117-090000-other-0002")
    write_status(other, replace(lasting("running"), device="cuda:1", host="elsewhere"))
    young = at_work(tmp_path, "", "20261119-100000-young-0003")
    ended = bare_run(tmp_path, "20261119-110000-ended-0004")
    write_status(ended, new_status("finished"))
    live = LiveRuns(tmp_path)
    assert [seen.run.name for seen in live.find()] == [paused.name, run.name, young.name]
    assert {device: seen.run.name for device, seen in holders(live.find()).items()} == {
        "cuda:0": paused.name, "cpu": run.name, ANY: young.name,
    }  # fmt: skip
    assert set(holders(live.find(), {young.name: "cuda:2"})) == {"cuda:0", "cpu", "cuda:2"}
    write_status(ended, lasting("running"))  # resumed: what was ended is looked at again
    assert ended.name in [seen.run.name for seen in live.find()]


def test_what_an_entry_waits_for(tmp_path: Path) -> None:
    a, b = runs(tmp_path, 2)
    for run in (a, b):
        jobs.add(run, "cpu")
    first, second = jobs.entries(tmp_path)
    assert jobs.waits_for(first, []) == "its start"
    busy = at_work(tmp_path)
    live: list[RunSummary] = LiveRuns(tmp_path).find()
    assert jobs.waits_for(first, live) == busy.name
    assert jobs.waits_for(second, live, [first]) == f"{a.name}, which is queued before it"
    write_status(busy, replace(lasting("paused"), device="cpu"))
    assert jobs.waits_for(first, LiveRuns(tmp_path).find()) == f"{busy.name}, which is paused"
    elsewhere = replace(first, job=replace(first.job, host="elsewhere"))
    assert "elsewhere" in jobs.waits_for(elsewhere, [])


# The worker


class Started:
    """Stands in for ``detach``: notes what was started, which then is at work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str, bool, dict[str, str]]] = []
        self.error: RunError | None = None
        monkeypatch.setattr(worker, "detach", self)

    def __call__(
        self, run: RunDirectory, device: str, data_root: Path | None, resume: bool, plugins: list[Path], *,
        checks: bool, folder: Path | None, variables: dict[str, str],
    ) -> int:  # fmt: skip
        if self.error is not None:
            raise self.error
        self.calls.append((run.name[-1], device, resume, variables))
        write_status(run, replace(lasting("running"), device=device))
        return os.getpid()

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


def test_one_run_a_device_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detached = Started(monkeypatch)
    a, b, c, d = runs(tmp_path, 4)
    busy = at_work(tmp_path)
    for run, device in ((a, "cpu"), (b, "cuda:0"), (c, "cpu"), (d, "cuda:0")):
        jobs.add(run, device)
    work = Worker(tmp_path)
    work.turn()
    assert detached.names == ["1"] and names(tmp_path) == ["0", "2", "3"]  # cuda:0 is free, the CPU is not
    write_status(busy, new_status("finished"))
    work.turn()
    work.turn()
    assert detached.names == ["1", "0"]
    write_status(a, new_status("stopped"))
    write_status(b, new_status("failed"))
    work.turn()
    assert detached.names == ["1", "0", "2", "3"] and names(tmp_path) == []


def test_a_run_is_started_with_what_was_set_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detached = Started(monkeypatch)
    a, b = runs(tmp_path, 2)
    b.events_file.write_text(to_json(started()) + "\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("ANYTHING", "ours")
    jobs.add(a, "cpu", variables={"OMP_NUM_THREADS": "3", "ANYTHING": "theirs"})
    jobs.add(b, "cuda:0", variables={})
    Worker(tmp_path).turn()
    (_, _, again, first), (_, _, resumed, second) = detached.calls
    assert (again, resumed) == (False, True)  # a run with events goes on from its checkpoint
    assert first["OMP_NUM_THREADS"] == "3" and "OMP_NUM_THREADS" not in second
    assert first["ANYTHING"] == "ours"


def test_a_run_that_cannot_be_started_fails_and_the_queue_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detached = Started(monkeypatch)
    a, b, c = runs(tmp_path, 3)
    for run in (a, b, c):
        jobs.add(run, "cpu")
    c.recipe_file.unlink()  # as good as deleted
    detached.error = RunError("no such folder")
    work = Worker(tmp_path)
    work.turn()
    status = read_status(a)
    assert status is not None and (status.state, status.message) == ("failed", "no such folder")
    assert state_of(b) == "failed" and names(tmp_path) == []


def test_a_process_that_ends_without_a_word_makes_its_run_a_failed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = runs(tmp_path, 1)
    jobs.add(run, "cpu")

    def detach(run: RunDirectory, *arguments: object, **more: object) -> int:
        run.log_file.write_text("plugin nope.py: cannot be read\n\n")
        write_status(run, replace(new_status("queued"), pid=2**22 - 1))
        return 2**22 - 1

    monkeypatch.setattr(worker, "detach", detach)
    work = Worker(tmp_path)
    work.turn()
    work.turn()
    status = read_status(run)
    assert status is not None and (status.state, status.message) == ("failed", "plugin nope.py: cannot be read")


def test_nothing_is_started_while_somebody_holds_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detached = Started(monkeypatch)
    (run,) = runs(tmp_path, 1)
    jobs.add(run, "cpu")
    work, claim = Worker(tmp_path), jobs.hold(tmp_path)
    work.turn()
    assert detached.names == []
    claim.give_back()
    work.turn()
    assert detached.names == ["0"]


def test_what_somebody_else_took_up_or_queued_elsewhere_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detached = Started(monkeypatch)
    a, b = runs(tmp_path, 2)
    for run in (a, b):
        jobs.add(run, "cuda:0")
    write_status(a, replace(lasting("running"), device="cpu"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
        jobs.add(b, "cuda:0")
    Worker(tmp_path).turn()
    assert detached.names == [] and names(tmp_path) == ["1"]


def test_the_worker_leaves_when_nothing_waits_or_the_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.01)
    Started(monkeypatch)
    (run,) = runs(tmp_path, 1)
    jobs.add(run, "cpu")
    left: list[float] = []
    Worker(tmp_path).work(lambda: left.append(time.monotonic()))
    assert len(left) == 1 and names(tmp_path) == []
    Worker(tmp_path / "nowhere").work(lambda: left.append(time.monotonic()))
    assert len(left) == 1 and not (tmp_path / "nowhere").exists()


def test_the_recipe_of_a_queued_run_stays_as_it_was(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, 1)
    jobs.add(run)
    assert run.recipe_file.read_text() == SMALL
