from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from workbench import devices, gpu_signs, nvml
from workbench.devices import DeviceError, Gpu, GpuProcess, busy, choose, gpu_of, list_gpus, neighbours, parse, refusal
from workbench.gpu_signs import Signs, TorchBuild


class FakeNvml:
    """Some GPUs, as pynvml would tell about them."""

    class NVMLError(Exception):
        pass

    class NVMLError_GpuIsLost(NVMLError):
        pass

    def __init__(self, *free: int | None) -> None:
        self.free = free

    def nvmlDeviceGetCount(self) -> int:
        return len(self.free)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if self.free[index] is None:
            raise self.NVMLError("fell off the bus")
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:
        if uuid not in [f"GPU-00{index}" for index in range(len(self.free))]:
            raise self.NVMLError("Not Found")
        return int(uuid[-1])

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        free = self.free[handle]
        return SimpleNamespace(free=free, used=100 - (free or 0), total=100)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=25)

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return 412_500

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return {self.NVML_CLOCK_SM: 1755}[kind]

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return {self.NVML_TEMPERATURE_GPU: 61}[sensor]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: int) -> int:
        return 0x24

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-00{handle}"

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"Big GPU"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        if handle:
            raise self.NVMLError("no permission")
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in ((os.getpid(), 1), (77, None))]

    def nvmlSystemGetProcessName(self, pid: int) -> str:
        return "/usr/bin/python3 train.py"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12020

    def nvmlSystemGetDriverVersion(self) -> str:
        return "535.1"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a machine of GPUs: free memory by NVML, and torch's numbers of them as UUIDs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(*free: int | None, torch_uuids: tuple[str, ...] = (), problem: str | None = None) -> None:
        monkeypatch.setattr(nvml, "start", lambda: FakeNvml(*free) if free else no_library())
        monkeypatch.setattr(gpu_signs, "torch_build", lambda: TorchBuild("2.15.0", cuda="12.6"))
        monkeypatch.setattr(gpu_signs, "_module", lambda folder: "")
        monkeypatch.setattr(devices, "_torch_sees", lambda: (len(torch_uuids), ""))
        monkeypatch.setattr(devices, "_torch_uuid", lambda number: torch_uuids[number])
        monkeypatch.setattr(devices, "architecture_problem", lambda number: problem)

    return make


def no_library() -> Any:
    raise ImportError("no pynvml")


@pytest.mark.parametrize(
    ("option", "device"), [("auto", "auto"), ("CPU", "cpu"), ("cuda", "cuda:0"), (" cuda:07 ", "cuda:7")]
)
def test_options_have_one_form(option: str, device: str) -> None:
    assert parse(option) == device


@pytest.mark.parametrize("option", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "0", "mps"])
def test_other_options_are_refused(option: str) -> None:
    with pytest.raises(DeviceError, match="use --device auto, cpu, or cuda:N"):
        choose(option)


def test_the_cpu_is_there_without_asking_torch(machine: Any) -> None:
    machine(5, torch_uuids=("000",))
    assert choose("cpu") == "cpu"
    machine()
    assert choose("auto") == "cpu"
    with pytest.raises(DeviceError, match="cuda:0: no GPU was found; use --device cpu"):
        choose("cuda:0")


def test_auto_takes_the_most_free_memory_in_torchs_numbers(machine: Any) -> None:
    machine(5, 90, 40, torch_uuids=("002", "000", "001"))
    assert choose() == "cuda:2"
    machine(5, 90, 40, torch_uuids=("002", "000"))  # the second is hidden from torch
    assert choose() == "cuda:0"
    machine(5, 5, torch_uuids=("000", "001"))
    assert choose() == "cuda:0"
    machine(5, torch_uuids=("", ""))  # an old torch without UUIDs
    assert choose() == "cuda:0"


def test_a_gpu_that_does_not_exist_is_named(machine: Any) -> None:
    machine(5, 5, torch_uuids=("000", "001"))
    assert choose("cuda:1") == "cuda:1"
    with pytest.raises(DeviceError, match="cuda:2: there is no such GPU; torch sees cuda:0 to cuda:1"):
        choose("cuda:2")


def test_a_gpu_that_torch_cannot_use_is_not_passed_over(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(5)
    monkeypatch.setattr(gpu_signs, "torch_build", lambda: TorchBuild("2.15.0", cuda="13.0"))
    for option in ("auto", "cuda:0"):
        with pytest.raises(DeviceError) as caught:
            choose(option)
        for part in ("535.1", "CUDA 12.2", "Big GPU", "torch 2.15.0", "CUDA 13.0", "--device cpu"):
            assert part in str(caught.value)
        assert "upgrade the driver, or install a torch that fits it" in str(caught.value)
        assert str(caught.value).startswith("cuda:0: " if option == "cuda:0" else "the driver (")
        assert refusal(option) == str(caught.value)
    monkeypatch.setattr(gpu_signs, "torch_build", lambda: TorchBuild("2.15.0"))
    with pytest.raises(DeviceError, match="built without CUDA"):
        choose("auto")
    assert choose("cpu") == "cpu" and refusal("cpu") == ""


def test_what_torch_gives_as_its_reason_is_said(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(5)

    def available() -> bool:
        warnings.warn(
            "CUDA initialization: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized "
            "(Triggered internally at CUDAFunctions.cpp:119.)",
            stacklevel=1,
        )
        return False

    monkeypatch.undo()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(nvml, "start", lambda: FakeNvml(5))
    monkeypatch.setattr(gpu_signs, "torch_build", lambda: TorchBuild("2.15.0", cuda="12.6"))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=available)))
    with pytest.raises(DeviceError) as caught:
        choose("auto")
    assert "cannot use it: Unexpected error from cudaGetDeviceCount(). Error 802" in str(caught.value)
    assert "start nvidia-fabricmanager" in str(caught.value) and "Triggered" not in str(caught.value)
    assert refusal("auto") == ""  # what only torch knows is not claimed without it


@pytest.mark.parametrize("visible", ["7", "GPU-ffff,0"])
def test_a_variable_that_names_a_missing_gpu_says_so(
    machine: Any, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    machine(5, 7)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    name = visible.split(",")[0]
    with pytest.raises(DeviceError, match=f"={visible} names {name}, which is no GPU here: the driver shows 0, 1;"):
        choose("auto")
    machine(5, 7, torch_uuids=("000",))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7,1")
    assert choose("auto") == "cuda:0"
    with pytest.raises(DeviceError, match="torch sees cuda:0; CUDA_VISIBLE_DEVICES=0,7,1 ends at 7, which is no GPU"):
        choose("cuda:1")


def test_another_environment_may_be_meant(machine: Any) -> None:
    machine(5)
    assert refusal("auto", {"CUDA_VISIBLE_DEVICES": ""}) == "" == refusal("auto", {})
    assert "names 3, which is no GPU here" in refusal("auto", {"CUDA_VISIBLE_DEVICES": "3"})


def test_a_gpu_without_a_word_from_nvml_is_refused(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setattr(devices, "look", lambda: Signs(module="535.1", torch=TorchBuild("2.15.0", cuda="12.6")))
    with pytest.raises(DeviceError, match="the card was not passed in"):
        choose("auto")
    with pytest.raises(DeviceError, match="cuda:0: the NVIDIA driver"):
        choose("cuda:0")
    monkeypatch.setattr(devices, "_torch_sees", lambda: (1, ""))  # whatever it looks like, torch can use it
    monkeypatch.setattr(devices, "_torch_uuid", lambda number: "")
    assert choose("auto") == "cuda:0"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_gpus_may_be_hidden_on_purpose(machine: Any, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    machine(5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert choose("auto") == "cpu"
    with pytest.raises(DeviceError, match="CUDA_VISIBLE_DEVICES hides every GPU"):
        choose("cuda:0")


@pytest.mark.parametrize(
    ("capability", "architectures", "fine"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_90"], True),
        ((7, 0), ["sm_75", "sm_80", "sm_90"], False),
        ((12, 0), ["sm_80", "sm_90a"], False),
        ((12, 1), ["sm_80", "compute_90"], True),
        ((10, 3), ["sm_100", "sm_120"], True),
        ((9, 0), [], True),
    ],
)
def test_a_gpu_needs_kernels(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], architectures: list[str], fine: bool
) -> None:
    cuda = SimpleNamespace(
        get_device_capability=lambda number: capability,
        get_arch_list=lambda: architectures,
        get_device_name=lambda number: "Old GPU",
    )
    fake = SimpleNamespace(__version__="2.15.0", version=SimpleNamespace(cuda="13.0"), cuda=cuda)
    monkeypatch.setitem(sys.modules, "torch", fake)
    problem = devices.architecture_problem(0)
    assert (problem is None) == fine
    if problem:
        assert "Old GPU" in problem and "--device cpu" in problem


def test_a_gpu_without_kernels_is_refused(machine: Any) -> None:
    machine(5, torch_uuids=("000",), problem="no kernels")
    with pytest.raises(DeviceError, match="no kernels"):
        choose("auto")


def test_neighbours_are_those_that_are_not_of_the_run(machine: Any) -> None:
    machine(80)
    assert neighbours("GPU-000", [os.getpid()]) == (GpuProcess(77, None, "python3"),)
    assert neighbours("GPU-000", [os.getpid(), 77]) == ()
    assert neighbours("GPU-000", [4]) == (GpuProcess(0, None, ""),)  # in a container: one of the two is the run
    assert neighbours("GPU-007", [os.getpid()]) == ()
    machine()
    assert neighbours("GPU-000", [os.getpid()]) == ()


def test_gpus_are_listed_with_other_processes(machine: Any) -> None:
    machine(5, None, 7)
    first, third = list_gpus()
    assert first == Gpu(0, "GPU-000", "Big GPU", 5, 100, (GpuProcess(77, None, "python3"),))
    assert (third.index, third.processes) == (2, ())
    assert (devices.driver().version, devices.driver().cuda) == ("535.1", "12.2")
    assert nvml.ask().problem == "GPU 1: fell off the bus"


def test_what_nvml_does_not_offer_leaves_the_rest(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unified memory has no free share, a GPU that is split into instances no utilisation."""

    def refuse(self: FakeNvml, *_: object) -> Any:
        raise self.NVMLError("Not Supported")

    machine(5, torch_uuids=("000",))
    whole = list_gpus()[0]
    for question, without in (
        ("nvmlDeviceGetMemoryInfo", {"free": None, "total": None}),
        ("nvmlDeviceGetUUID", {"uuid": ""}),
        ("nvmlDeviceGetName", {"name": "a GPU"}),
        ("nvmlDeviceGetComputeRunningProcesses", {"processes": ()}),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(FakeNvml, question, refuse)
            assert list_gpus() == [dataclasses.replace(whole, **without)]
            assert choose("auto") == "cuda:0"
            assert nvml.ask().problem == ""
            if question == "nvmlDeviceGetMemoryInfo":
                assert busy("cuda:0") == "cuda:0 (Big GPU) is also used by 1 other process: python3 (pid 77)"
    use = devices.gpu_use("GPU-000")
    assert use == devices.GpuUse(0.25, 95, 100, 412.5, 1755, 61, ("too hot (software)", "power cap reached"))
    with monkeypatch.context() as patched:
        patched.setattr(FakeNvml, "nvmlDeviceGetUtilizationRates", refuse)
        assert devices.gpu_use("GPU-000") == dataclasses.replace(use, busy=None)
        patched.setattr(FakeNvml, "nvmlDeviceGetMemoryInfo", refuse)
        assert devices.gpu_use("GPU-000") is None
    with monkeypatch.context() as patched:
        for question in ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetClockInfo", "nvmlDeviceGetTemperature"):
            patched.setattr(FakeNvml, question, refuse)
        patched.delattr(FakeNvml, "nvmlDeviceGetCurrentClocksThrottleReasons")  # older bindings
        assert devices.gpu_use("GPU-000") == devices.GpuUse(0.25, 95, 100)
    with monkeypatch.context() as patched:
        patched.setattr(FakeNvml, "nvmlSystemGetCudaDriverVersion", refuse)
        assert devices.driver() == devices.Driver("535.1", "")
    assert devices.gpu_use("GPU-none") is None


def test_a_lost_gpu_is_none_that_says_little(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: FakeNvml, *_: object) -> Any:
        raise self.NVMLError_GpuIsLost("GPU is lost")

    machine(5)
    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetMemoryInfo", lost)
    assert nvml.ask() == nvml.Answer((), "GPU 0: GPU is lost")
    assert devices.gpu_use("GPU-000") is None
    with pytest.raises(DeviceError, match=r"shows none that works \(GPU 0: GPU is lost\); restart the machine"):
        choose("auto")


def test_a_busy_gpu_warns(machine: Any) -> None:
    machine(5, 7, torch_uuids=("001", "000"))
    assert busy("cpu") is None
    assert busy("cuda:0") is None
    warning = busy("cuda:1")
    assert warning is not None and "also used by 1 other process: python3 (pid 77)" in warning
    assert gpu_of("cpu") is None


def test_this_machine_can_be_asked() -> None:
    assert isinstance(list_gpus(), list)
    assert isinstance(devices.driver().version, str)
