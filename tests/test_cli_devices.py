"""A card that cannot be used, as each command says it: nothing is trained on the CPU without a word."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from tests.runs.helpers import SMALL, Command, bare_run, invoke
from workbench import devices, nvml
from workbench.runs.queue import jobs, worker
from workbench.runs.queue.worker import Worker
from workbench.runs.store.status import read_status

REASON = "the driver was upgraded while the machine ran; restart it"
WITHOUT = "or go on without the GPU: --device cpu"


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_RUNS", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    Path("small.toml").write_text(SMALL)
    return lambda *arguments: invoke(capsys, *arguments)


@pytest.fixture
def mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's libraries half updated: NVML's init fails, and torch sees nothing."""

    def start() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH)

    monkeypatch.setattr(nvml, "start", start)
    monkeypatch.setattr(devices, "_torch_sees", lambda: (0, ""))


@pytest.mark.parametrize(
    "command",
    [
        ("run", "small.toml"),
        ("run", "small.toml", "--device", "auto", "--quiet"),
        ("run", "small.toml", "--detach"),
        ("run", "small.toml", "--queue"),
        ("check", "small.toml"),
        ("bench", "small.toml"),
        ("profile", "small.toml"),
        ("run", "small.toml", "--device", "cuda:0"),
        ("run", "small.toml", "--device", "cuda:0", "--queue"),
    ],
)
def test_each_command_refuses_with_reason_and_remedy(
    workbench: Command, mismatch: None, command: tuple[str, ...]
) -> None:
    result = workbench(*command)
    assert result.code == 2 and result.out == ""
    (line,) = result.err.splitlines()
    assert REASON in line and line.endswith(WITHOUT)
    assert line.startswith("cuda:0: the GPU" if "cuda:0" in command else "the GPU")
    assert not Path("runs").exists()


def test_a_run_that_goes_on_is_refused_too(workbench: Command, mismatch: None) -> None:
    run = bare_run(Path("runs"))
    for more in ((), ("--detach",), ("--queue",)):
        result = workbench("run", "--resume", "last", *more)
        assert result.code == 2 and REASON in result.err
    assert read_status(run) is None and jobs.entries(Path("runs")) == []


def test_the_user_may_go_on_without(workbench: Command, mismatch: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.choose("cpu") == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.choose("auto") == "cpu"


def test_a_queued_run_fails_with_the_reason_instead_of_taking_the_cpu(
    tmp_path: Path, mismatch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "detach", lambda *_, **__: pytest.fail("nothing may be started"))
    first, hidden = (bare_run(tmp_path, f"20261120-14250{number}-small-000{number}") for number in (0, 1))
    jobs.add(first, "auto", variables={})
    Worker(tmp_path).turn()
    status = read_status(first)
    assert status is not None and status.state == "failed"
    assert REASON in status.message and WITHOUT in status.message and jobs.entries(tmp_path) == []

    begun = []
    monkeypatch.setattr(worker, "detach", lambda run, device, *_, **__: begun.append((run, device)) or 1)
    jobs.add(hidden, "auto", variables={"CUDA_VISIBLE_DEVICES": ""})  # without GPUs on purpose
    Worker(tmp_path).turn()
    assert begun == [(hidden, "cpu")]
