"""Samples of the machine: taken beside a run, never in its way, read by anyone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from tests.runs.fake_engine import started, trained
from tests.runs.helpers import bare_run
from tests.runs.training.test_writer import finished
from tests.waiting import wait_for
from workbench.devices import Gpu, GpuProcess, GpuUse
from workbench.runs.store import machine as module
from workbench.runs.store.machine import MachineReader, Sample, Sampler
from workbench.runs.training import writer


def test_a_run_writes_samples_for_every_watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "POLL_SECONDS", 0.02)
    run = bare_run(tmp_path)
    reader = MachineReader(run)
    assert reader.read_new() == []
    with writer.RunWriter(run) as writing:
        time.sleep(0.1)
        assert not run.machine_file.exists()  # nobody knows yet where it trains
        writing.write(started())
        writing.write(trained(7))
        found: list[Sample] = []
        wait_for(lambda: found.extend(reader.read_new()) or any(s.step == 7 and s.cpu is not None for s in found))
        writing.write(finished())
    last = next(sample for sample in reversed(found) if sample.step == 7)
    assert last.memory is not None and last.memory > 2**20
    assert last.cpu is not None and last.cpu >= 0
    assert last.gpu is None and last.gpu_memory is None
    assert abs(last.time - time.time()) < 60


def test_the_gpu_that_trains_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def gpu_of(device: str) -> Gpu:
        asked.append(device)
        return Gpu(1, "GPU-abc", "H100", 1, 2)

    monkeypatch.setattr(module, "gpu_of", gpu_of)
    use = GpuUse(0.93, 3, 80, 412.5, 1755, 61, ("power cap reached",))
    monkeypatch.setattr(module, "gpu_use", lambda uuid: use if uuid == "GPU-abc" else None)
    run = bare_run(tmp_path)
    sampler = Sampler(run)
    for step in (1, 2):
        sampler.sample("cuda:1", step)
    assert asked == ["cuda:1"]
    found = MachineReader(run).read_new()
    assert [(s.step, s.gpu, s.gpu_memory, s.gpu_memory_total) for s in found] == [(1, 0.93, 3, 80), (2, 0.93, 3, 80)]
    assert (found[1].gpu_power, found[1].gpu_clock, found[1].gpu_temperature) == (412.5, 1755, 61)
    assert found[1].gpu_slowed == ("power cap reached",)


def test_others_on_the_gpu_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def neighbours(uuid: str, own: list[int]) -> tuple[GpuProcess, ...]:
        asked.append((uuid, os.getpid() in own))
        return (GpuProcess(77, None, "python3"), *(GpuProcess(0, 1, "\x1b]52;") for _ in range(40)))

    monkeypatch.setattr(module, "gpu_of", lambda device: Gpu(1, "GPU-abc", "H100", 1, 2))
    monkeypatch.setattr(module, "gpu_use", lambda uuid: GpuUse(0.93, 3, 80))
    monkeypatch.setattr(module, "neighbours", neighbours)
    run = bare_run(tmp_path)
    Sampler(run).sample("cuda:1", 1)
    assert asked == [("GPU-abc", True)]
    (sample,) = MachineReader(run).read_new()
    assert len(sample.gpu_others) == module.OTHERS
    assert sample.gpu_others[:2] == ("python3 (pid 77)", r"\x1b]52;")


@pytest.mark.parametrize("where", ["gpu_of", "gpu_use"])
def test_a_driver_that_fails_disturbs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(module, where, broken)
    if where == "gpu_use":
        monkeypatch.setattr(module, "gpu_of", lambda device: Gpu(0, "GPU-abc", "H100", 1, 2))
    run = bare_run(tmp_path)
    sampler = Sampler(run)
    for step in (1, 2):
        sampler.sample("cuda:0", step)
    samples = MachineReader(run).read_new()
    assert [sample.gpu for sample in samples] == ([None] if where == "gpu_of" else [])


def test_a_process_that_went_away_or_a_folder_that_is_gone_disturbs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bare_run(tmp_path)
    sampler = Sampler(run)

    def gone(self: psutil.Process) -> None:
        raise psutil.NoSuchProcess(self.pid)

    monkeypatch.setattr(psutil.Process, "cpu_times", gone)
    sampler.sample("cpu", 1)
    (sample,) = MachineReader(run).read_new()
    assert (sample.cpu, sample.memory) == (None, None)
    Sampler(type(run)(tmp_path / "nowhere")).sample("cpu", 1)


def test_a_torn_line_is_left_out_and_the_next_stands_alone(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    sampler, reader = Sampler(run), MachineReader(run)
    sampler.sample("cpu", 1)
    with run.machine_file.open("ab") as file:
        file.write(b'{"time": 12.5, "st')
    assert [sample.step for sample in reader.read_new()] == [1]
    sampler.sample("cpu", 2)
    assert [sample.step for sample in reader.read_new()] == [2]
    run.machine_file.write_bytes(b'{"time": null}\n[]\n7\n{"step": 3}\n{"time": 1.5, "step": 4, "new": 5}\n')
    assert MachineReader(run).read_new() == [Sample(1.5, 4)]
