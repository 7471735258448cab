"""GPUs as NVIDIA's driver sees them, through its management library NVML. Torch-free.

A driver need not answer every question: unified memory has no free share, a GPU that is split into instances no
utilisation. What it does not say is None, and the rest stays.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

SLOWING = {
    0x08: ("hardware slowdown", True),
    0x20: ("too hot (software)", True),
    0x40: ("too hot (hardware)", True),
    0x80: ("power brake from outside", True),
    0x04: ("power cap reached", False),
    0x02: ("clocks set by an application", False),
}
"""Bits of NVML's reasons why clocks are lowered, and whether each is a fault rather than how the card is run."""


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory on a GPU; ``memory`` in bytes, None where the driver does not say."""

    pid: int
    memory: int | None
    name: str


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver sees it. ``index`` is NVML's (PCI order), which need not be torch's; memory in bytes.

    ``processes`` are those of others than this process. Memory is None, uuid "" where the driver does not say.
    """

    index: int
    uuid: str
    name: str
    free: int | None
    total: int | None
    processes: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True)
class GpuUse:
    """What a GPU is doing. ``busy``: the share of the last moments in which a kernel ran, 0–1; memory in bytes.

    power in watts, clock of its processors in MHz, temperature in °C. None for what the driver does not say. slowed:
    what lowers its clocks, in words.
    """

    busy: float | None
    used: int | None
    total: int | None
    power: float | None = None
    clock: int | None = None
    temperature: int | None = None
    slowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Driver:
    """The GPU driver's version and the newest CUDA version that it runs; empty without one."""

    version: str = ""
    cuda: str = ""


@dataclass(frozen=True)
class Answer:
    """What NVML says when asked for every GPU.

    problem: why it does not start, or does not show a GPU that it counts; one line, "" if all is well. library: whether
    it is installed; without it there is neither a GPU nor a problem.
    """

    gpus: tuple[Gpu, ...] = ()
    problem: str = ""
    library: bool = True


def ask() -> Answer:
    """Every GPU that the driver shows, in its order, and what is wrong with it. Cheap enough for every few seconds."""
    try:
        nvml = start()
    except Exception as error:  # no package, no library, no driver, no permission
        missing = isinstance(error, ImportError) or "library not found" in str(error).lower()
        return Answer(problem="" if missing else _words(error), library=not missing)
    found, problem = [], ""
    try:
        count = int(nvml.nvmlDeviceGetCount())
    except nvml.NVMLError as error:
        return Answer(problem=_words(error))
    for index in range(count):
        try:
            found.append(_gpu(nvml, index))
        except nvml.NVMLError as error:  # one that fell off the bus must not hide the others
            problem = problem or f"GPU {index}: {_words(error)}"
    return Answer(tuple(found), problem)


def list_gpus() -> list[Gpu]:
    """The GPUs that NVML sees, in its order; empty without a driver. Torch-free, cheap enough for every few seconds."""
    return list(ask().gpus)


def gpu_use(uuid: str) -> GpuUse | None:
    """What the GPU with this NVML uuid is doing, for all processes together; None where the driver tells nothing."""
    nvml = _started()
    if nvml is None:
        return None
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        memory = _or_none(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        rates = _or_none(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        milliwatts = _or_none(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        clock = _or_none(nvml, lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))
        temperature = _or_none(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        reasons = _or_none(nvml, lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    except nvml.NVMLError:
        return None
    if memory is None and rates is None:
        return None
    return GpuUse(
        busy=rates.gpu / 100 if rates else None,
        used=int(memory.used) if memory else None,
        total=int(memory.total) if memory else None,
        power=None if milliwatts is None else milliwatts / 1000,
        clock=clock,
        temperature=temperature,
        slowed=slowing(reasons)[0],
    )


def slowing(reasons: int | None) -> tuple[tuple[str, ...], bool]:
    """What lowers a GPU's clocks, in words, and whether any of it is a fault; from NVML's bit mask of reasons."""
    hit = [words for bit, words in SLOWING.items() if (reasons or 0) & bit]
    return tuple(text for text, _ in hit), any(fault for _, fault in hit)


def neighbours(uuid: str, own: Collection[int]) -> tuple[GpuProcess, ...]:
    """The processes of others on the GPU with this NVML uuid; none where the driver tells nothing.

    own: the pids that are no others'. In a container the driver has other numbers for all processes: where none of
    ``own`` is on the GPU, any of those found may be it, so one is left out, and the rest have no name and pid 0.
    """
    nvml = _started()
    if nvml is None:
        return ()
    try:
        found = _processes(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid), own=())
    except nvml.NVMLError:
        return ()
    others = tuple(process for process in found if process.pid not in own)
    if len(others) < len(found):
        return others
    return tuple(GpuProcess(0, process.memory, "") for process in found[1:])


def driver() -> Driver:
    """The driver's versions; empty ones without a driver."""
    nvml = _started()
    if nvml is None:
        return Driver()
    version = _or_none(nvml, lambda: _text(nvml.nvmlSystemGetDriverVersion()))
    cuda = _or_none(nvml, lambda: int(nvml.nvmlSystemGetCudaDriverVersion()))
    return Driver(version or "", f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "")


@functools.cache
def start() -> Any:
    """The NVML bindings with their library started; only a success is remembered. Raises whatever speaks against it."""
    import pynvml

    pynvml.nvmlInit()
    return pynvml


def _started() -> Any:
    try:
        return start()
    except Exception:  # see ask(), which says why
        return None


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _or_none(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    return Gpu(
        index=index,
        uuid=_or_none(nvml, lambda: _text(nvml.nvmlDeviceGetUUID(handle))) or "",
        name=_or_none(nvml, lambda: _text(nvml.nvmlDeviceGetName(handle))) or "a GPU",
        free=int(memory.free) if memory else None,
        total=int(memory.total) if memory else None,
        processes=_processes(nvml, handle, own=(os.getpid(),)),
    )


def _processes(nvml: Any, handle: Any, own: Collection[int]) -> tuple[GpuProcess, ...]:
    found = []
    for process in _or_none(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or ():
        if process.pid in own:
            continue
        try:
            name = _text(nvml.nvmlSystemGetProcessName(process.pid)).split("\0")[0].split(" ")[0].rpartition("/")[2]
        except (nvml.NVMLError, UnicodeDecodeError):  # another user's, or gone
            name = ""
        found.append(GpuProcess(int(process.pid), process.usedGpuMemory, name))
    return tuple(found)


def _or_none(nvml: Any, question: Callable[[], T]) -> T | None:
    """An answer, or None where this driver or this GPU has none. Raises NVML's error for a GPU that is lost."""
    lost = getattr(nvml, "NVMLError_GpuIsLost", None)
    try:
        return question()
    except AttributeError:  # bindings that do not know the question
        return None
    except nvml.NVMLError as error:
        if lost is not None and isinstance(error, lost):
            raise
        return None


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
