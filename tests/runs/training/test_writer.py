from __future__ import annotations

import dataclasses
import errno
import itertools
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from tests.runs.fake_engine import diverged, started, trained
from tests.runs.helpers import bare_run, environment, state_of
from tests.waiting import quickest, wait_for
from workbench.control import Control
from workbench.events import (
    Continued,
    Evaluated,
    Failed,
    Finished,
    Noted,
    Paused,
    Resumed,
    Stopped,
    from_json,
    to_json,
)
from workbench.runs import errors
from workbench.runs.errors import RunError
from workbench.runs.store import control_file
from workbench.runs.store import status as status_module
from workbench.runs.store.control_file import ask, take_requests
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import read_events
from workbench.runs.store.status import Status, new_status, read_status, write_status
from workbench.runs.training import writer as module
from workbench.runs.training.writer import RunWriter
from workbench.storage import atomic, locks


def finished(step: int = 20) -> Finished:
    return Finished(step=step, seconds=1.0, test_loss=0.1, test_accuracy=0.9)


def present(run: RunDirectory) -> Status:
    status = read_status(run)
    assert status is not None
    return status


def test_events_and_states_reach_the_disk(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        assert state_of(run) == "running"
        for event, state in (
            (started(), "running"),
            (Paused(step=1), "paused"),
            (Continued(step=1), "running"),
            (trained(2), "running"),
            (Evaluated(step=2, epoch=0.4, split="test", loss=1.0, accuracy=0.7, seconds=1.0), "running"),
            (Evaluated(step=2, epoch=0.4, split="validation", loss=1.0, accuracy=0.6, seconds=1.0), "running"),
            (Evaluated(step=4, epoch=0.4, split="validation", loss=1.0, accuracy=0.5, seconds=1.0), "running"),
            (finished(), "finished"),
        ):
            writer.write(event)
            assert state_of(run) == state
    status = present(run)
    assert (status.step, status.steps, status.device) == (20, 20, "cpu")
    assert (status.loss, status.accuracy, status.test_accuracy, status.best) == (0.5, 0.8, 0.7, 0.6)
    assert len(read_events(run)) == 8


@pytest.mark.parametrize(
    ("event", "state", "message"),
    [
        (Stopped(step=3), "stopped", ""),
        (Failed(error="no room"), "failed", "no room"),
        (diverged(3), "diverged", "the loss is inf"),
    ],
)
def test_every_end_has_its_state(tmp_path: Path, event: Stopped, state: str, message: str) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        writer.write(event)
    assert state_of(run) == state
    assert present(run).message == message


def test_figures_that_are_not_numbers_do_not_break_the_status(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        event = trained(1)
        object.__setattr__(event, "loss", math.nan)
        writer.write(event)
        writer.write(finished())
    assert present(run).loss is None


def test_the_heartbeat_needs_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.15)
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        first = present(run).heartbeat
        wait_for(lambda: present(run).heartbeat > first)
        writer.write(trained(3))
        wait_for(lambda: present(run).step == 3)
        writer.write(finished())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("heartbeat")]


def test_an_end_without_a_last_event_is_no_success(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with pytest.raises(ZeroDivisionError), RunWriter(run) as writer:
        writer.write(started())
        raise ZeroDivisionError
    assert state_of(run) == "lost"
    assert "ZeroDivisionError" in present(run).message


def test_who_leaves_at_once_has_stopped_it(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with pytest.raises(KeyboardInterrupt), RunWriter(run) as writer:
        writer.write(started())
        raise KeyboardInterrupt
    assert state_of(run) == "stopped"
    assert "goes on from its last checkpoint" in present(run).message


def test_wherever_ctrl_c_meets_a_writer_its_run_is_not_lost(tmp_path: Path) -> None:
    """Ctrl-C before each line of the writer and of what it calls for its files, one after the other."""
    names = {written.__file__ for written in (module, status_module, locks, errors, atomic)}
    states = set()
    for line in itertools.count():
        lines = itertools.count()

        def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
            if frame.f_code.co_filename not in names or frame.f_code.co_name == "abandon":
                return None
            if event == "line" and next(lines) == line:  # noqa: B023 - called in this round only
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        run = bare_run(tmp_path, f"run{line}")
        sys.settrace(trace)
        try:
            with RunWriter(run) as writer:
                writer.write(started())
                writer.write(trained(2))
                writer.write(Stopped(step=3))
        except KeyboardInterrupt:
            pass
        else:
            break
        finally:
            sys.settrace(None)
        status = read_status(run)
        states.add(status.state if status else "none yet")
    assert line > 150
    assert states == {"none yet", "stopped"}


def test_two_writers_never_have_one_run(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        with pytest.raises(RunError, match=f"trained by process {os.getpid()}"), RunWriter(run):
            pass
        other = subprocess.run(
            [sys.executable, "-c", OTHER, str(run.path)], env=environment(), capture_output=True, text=True, check=True
        )
        assert "is being trained by process" in other.stdout
        writer.write(finished())
    with RunWriter(run) as writer:
        writer.write(finished())


OTHER = """
import sys
from pathlib import Path
from workbench.runs.store.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.training.writer import RunWriter
try:
    with RunWriter(RunDirectory(Path(sys.argv[1]))):
        pass
except RunError as error:
    print(error)
"""

KILLED = """
import os, sys, time
from pathlib import Path
from workbench.events import Noted
from workbench.runs.store.directory import RunDirectory
from workbench.runs.training.writer import RunWriter
writer = RunWriter(RunDirectory(Path(sys.argv[1]))).__enter__()
writer.write(Noted(message="whole"))
ready, tell = os.pipe()
if os.fork() == 0:  # a loader worker that outlives its parent for a while
    os.write(tell, b"x")
    time.sleep(3)
    os._exit(0)
os.read(ready, 1)
os.write(writer._logs[-1].descriptor, b'{"kind":"noted","mess')
os.kill(os.getpid(), 9)
"""


def test_a_killed_run_can_go_on_at_once(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, str(run.path)], env=environment(), stderr=subprocess.DEVNULL)
    assert state_of(run) == "lost"
    with RunWriter(run) as writer:
        writer.write(Noted(message="again"))
        writer.write(finished())
    lines = run.events_file.read_text().splitlines()
    assert [getattr(from_json(line), "message", None) for line in lines] == ["whole", "again", None]


@pytest.mark.parametrize("torn", [b"", b"{", b'{"kind":', b"x" * 200_000])
def test_a_torn_last_line_is_cut(tmp_path: Path, torn: bytes) -> None:
    for before in (b"", to_json(Noted(message="whole")).encode() + b"\n"):
        run = bare_run(tmp_path, f"run-{len(torn)}-{len(before)}")
        run.events_file.write_bytes(before + torn)
        with RunWriter(run) as writer:
            writer.write(finished())
        assert run.events_file.read_bytes() == before + to_json(writer_event(run)).encode() + b"\n"


def writer_event(run: RunDirectory) -> Finished:
    event = read_events(run)[-1]
    assert isinstance(event, Finished)
    return event


def test_a_full_disk_is_one_line_and_what_follows_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bare_run(tmp_path)
    with RunWriter(run) as writer:
        writer.write(Noted(message="before"))
        room = [0]
        monkeypatch.setattr(os, "write", _short_then_full(os.write, writer._logs[-1].descriptor, room))
        with pytest.raises(RunError, match="No space left on device") as caught:
            writer.write(trained(1))
        assert "\n" not in str(caught.value)
        room[0] = 1
        writer.write(finished())
    events = read_events(run)
    assert [type(event).__name__ for event in events] == ["Noted", "Finished"]


def _short_then_full(write, own, room):  # type: ignore[no-untyped-def]
    written = []

    def replacement(file: int, data: bytes) -> int:
        if file != own or room[0]:
            return int(write(file, data))
        if not written:
            written.append(1)
            return int(write(file, data[:10]))
        raise OSError(errno.ENOSPC, "No space left on device")

    return replacement


def test_an_unwritable_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"), RunWriter(RunDirectory(tmp_path / "none")):
        pass


def test_resuming_keeps_the_results_that_still_hold(tmp_path: Path) -> None:
    run = bare_run(tmp_path)

    def evaluated(step: int, accuracy: float) -> Evaluated:
        return Evaluated(step=step, epoch=step / 5, split="test", loss=1.0, accuracy=accuracy, seconds=1.0)

    with RunWriter(run) as writer:
        for event in (started(), trained(5), evaluated(5, 0.5), trained(10), evaluated(10, 0.6), Stopped(step=10)):
            writer.write(event)
    with RunWriter(run) as writer:
        assert (present(run).state, present(run).step, present(run).test_accuracy) == ("running", 10, 0.6)
        writer.write(started())
        writer.write(Resumed(step=5))
        writer.write(Paused(step=5))
        assert (present(run).step, present(run).test_accuracy) == (5, 0.5)
        writer.write(finished())


def test_requests_reach_the_training_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    run, control = bare_run(tmp_path), Control()
    with RunWriter(run, control) as writer:
        ask(run, "pause")
        ask(run, "checkpoint")  # at once: neither request may hide the other
        wait_for(lambda: control.pause_requested)
        wait_for(control.take_checkpoint_request)
        assert not run.control_file.exists()
        ask(run, "continue")
        wait_for(lambda: not control.pause_requested)
        assert not control.stop_requested
        ask(run, "stop")
        wait_for(lambda: control.stop_requested)
        writer.write(Stopped(step=1))
    assert not run.control_file.exists()


def test_a_request_is_polled_within_about_a_second(tmp_path: Path) -> None:
    run, control = bare_run(tmp_path), Control()

    def checkpoint() -> float:
        asked = time.monotonic()
        ask(run, "checkpoint")
        wait_for(control.take_checkpoint_request)
        return time.monotonic() - asked

    with RunWriter(run, control) as writer:
        assert quickest(checkpoint, enough=2) < 2
        writer.write(Stopped(step=1))


def test_nobody_is_asked_who_is_not_there(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with pytest.raises(RunError, match="has not begun: there is no process to stop"):
        ask(run, "stop")
    write_status(run, Status("finished"))
    with pytest.raises(RunError, match="is finished"):
        ask(run, "pause")
    write_status(run, new_status("running"))
    with pytest.raises(RunError, match="cannot be asked to 'dance'"):
        ask(run, "dance")  # type: ignore[arg-type]
    assert not run.control_file.exists()


def test_requests_to_another_process_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bare_run(tmp_path)
    own = new_status("running")
    write_status(run, dataclasses.replace(own, process_started=(own.process_started or 0) - 60))
    monkeypatch.setattr(control_file, "effective_state", lambda status: "running")
    ask(run, "stop")
    assert take_requests(run, own) == []
    write_status(run, dataclasses.replace(own, pid=own.pid + 1))
    ask(run, "stop")
    assert take_requests(run, own) == []
    write_status(run, own)
    ask(run, "stop")
    assert take_requests(run) == ["stop"]
    assert take_requests(run) == []
    for text in ("", "{", '{"action": "stop"}', '[3, {"action": "dance", "time": 1}, {"action": "stop"}]'):
        run.control_file.write_text(text)
        assert take_requests(run) == []


def test_requests_do_not_depend_on_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, own = bare_run(tmp_path), new_status("running")
    write_status(run, own)
    for now in (0.0, 1e9, 4e9):  # set back to 1970, to the year 2001, and on
        monkeypatch.setattr(control_file.time, "time", lambda now=now: now)
        monkeypatch.setattr(control_file, "effective_state", lambda status: "running")
        ask(run, "stop")
        assert take_requests(run, own) == ["stop"]
    run.control_file.write_text('[{"action": "stop", "time": 1.5}]')  # of an earlier version
    assert take_requests(run, own) == ["stop"]


def test_many_may_ask_at_once(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_status(run, new_status("running"))
    threads = [threading.Thread(target=ask, args=(run, "checkpoint")) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert take_requests(run) == ["checkpoint"] * 16


def test_a_huge_file_of_events_is_not_searched_for_its_last_line(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with run.events_file.open("wb") as file:
        file.truncate(50 * 10**9)
    began = time.monotonic()
    with pytest.raises(RunError, match=r"it has 50\.0 GB, far more than any run writes; move it away"), RunWriter(run):
        pass
    assert time.monotonic() - began < 5
    assert run.events_file.stat().st_size == 50 * 10**9
