"""Where to train: GPUs as the driver sees them (NVML), and the choice of one for torch, which is imported only then."""

from __future__ import annotations

import functools
import os
import re
import warnings
from dataclasses import dataclass
from typing import Any

GIB = 2**30


class DeviceError(Exception):
    """A device that does not exist or cannot be used; one line."""


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory on a GPU; ``memory`` in bytes, None where the driver does not say."""

    pid: int
    memory: int | None
    name: str


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver sees it. ``index`` is NVML's (PCI order), which need not be torch's; memory in bytes.

    ``processes`` are those of others than this process.
    """

    index: int
    uuid: str
    name: str
    free: int
    total: int
    processes: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True)
class GpuUse:
    """What a GPU is doing. ``busy``: the share of the last moments in which a kernel ran, 0–1; memory in bytes."""

    busy: float
    used: int
    total: int


@dataclass(frozen=True)
class Driver:
    """The GPU driver's version and the newest CUDA version that it runs; empty without one."""

    version: str = ""
    cuda: str = ""


def parse(option: str) -> str:
    """A ``--device`` option in its canonical form: ``"auto"``, ``"cpu"`` or ``"cuda:N"``. Raises DeviceError."""
    text = option.strip().lower()
    if text in ("auto", "cpu"):
        return text
    if text == "cuda":
        return "cuda:0"
    if match := re.fullmatch(r"cuda:(\d{1,3})", text):
        return f"cuda:{int(match[1])}"
    raise DeviceError(f"unknown device '{option}'; use --device auto, cpu, or cuda:N such as cuda:0")


def choose(option: str = "auto") -> str:
    """The device to train on, for torch: ``"cpu"`` or ``"cuda:N"``. Imports torch unless the option is ``"cpu"``.

    ``"auto"`` takes the GPU with the most free memory, or the CPU where there is none. Raises DeviceError where a GPU
    is asked for that does not exist, or where the driver sees a GPU that torch cannot use.
    """
    wanted = parse(option)
    if wanted == "cpu":
        return "cpu"
    seen = list_gpus()
    count = _torch_gpu_count()
    if count == 0:
        if seen and not _hidden():
            raise DeviceError(_unusable(seen[0]))
        if wanted == "auto":
            return "cpu"
        reason = "CUDA_VISIBLE_DEVICES hides every GPU" if seen else "no GPU was found"
        raise DeviceError(f"{wanted}: {reason}; use --device cpu")
    number = _most_free(seen, count) if wanted == "auto" else int(wanted.removeprefix("cuda:"))
    if number >= count:
        known = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise DeviceError(f"{wanted}: there is no such GPU; torch sees {known}")
    if problem := _architecture_problem(number):
        raise DeviceError(problem)
    return f"cuda:{number}"


def gpu_of(device: str, gpus: list[Gpu] | None = None) -> Gpu | None:
    """What the driver says about a torch device such as ``"cuda:0"``; None for the CPU. Imports torch for a GPU."""
    if not device.startswith("cuda"):
        return None
    uuid = _torch_uuid(int(device.partition(":")[2] or 0))
    return next((gpu for gpu in (list_gpus() if gpus is None else gpus) if uuid and uuid in gpu.uuid.lower()), None)


def busy(device: str, gpus: list[Gpu] | None = None) -> str | None:
    """One sentence if other processes use a torch device, else None. Imports torch for a GPU.

    gpus: what :func:`list_gpus` said before torch touched a GPU. In a container the driver gives this process another
    number, by which it would be taken for a stranger later.
    """
    gpu = gpu_of(device, gpus)
    if gpu is None or not gpu.processes:
        return None
    others = "1 other process" if len(gpu.processes) == 1 else f"{len(gpu.processes)} other processes"
    pids = ", ".join(str(process.pid) for process in gpu.processes[:5])
    free, total = gpu.free / GIB, gpu.total / GIB
    return f"{device} ({gpu.name}) is also used by {others} (pid {pids}); {free:.1f} of {total:.1f} GiB are free"


def list_gpus() -> list[Gpu]:
    """The GPUs that NVML sees, in its order; empty without a driver. Torch-free, cheap enough for every few seconds."""
    nvml = _nvml()
    if nvml is None:
        return []
    found = []
    try:
        count = int(nvml.nvmlDeviceGetCount())
    except nvml.NVMLError:
        return []
    for index in range(count):
        try:
            found.append(_gpu(nvml, index))
        except nvml.NVMLError:  # one that fell off the bus must not hide the others
            continue
    return found


def gpu_use(uuid: str) -> GpuUse | None:
    """What the GPU with this NVML uuid is doing, for all processes together; None where the driver cannot tell."""
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        busy = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    except nvml.NVMLError:
        return None
    return GpuUse(busy, int(memory.used), int(memory.total))


@functools.cache
def driver() -> Driver:
    """The driver's versions; empty ones without a driver."""
    nvml = _nvml()
    if nvml is None:
        return Driver()
    try:
        cuda = int(nvml.nvmlSystemGetCudaDriverVersion())
        return Driver(_text(nvml.nvmlSystemGetDriverVersion()), f"{cuda // 1000}.{cuda % 1000 // 10}")
    except nvml.NVMLError:
        return Driver()


@functools.cache
def _nvml() -> Any:
    """The NVML bindings with their library loaded, or None."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no library, no driver, no permission: all mean that nothing can be said
        return None
    return pynvml


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        index=index,
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        name=_text(nvml.nvmlDeviceGetName(handle)),
        free=int(memory.free),
        total=int(memory.total),
        processes=_processes(nvml, handle),
    )


def _processes(nvml: Any, handle: Any) -> tuple[GpuProcess, ...]:
    try:
        running = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLError:
        return ()
    found = []
    for process in running:
        if process.pid == os.getpid():
            continue
        try:
            name = _text(nvml.nvmlSystemGetProcessName(process.pid)).split("\0")[0].split(" ")[0].rpartition("/")[2]
        except (nvml.NVMLError, UnicodeDecodeError):  # another user's, or gone
            name = ""
        found.append(GpuProcess(int(process.pid), process.usedGpuMemory, name))
    return tuple(found)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _hidden() -> bool:
    """Whether the user took the GPUs away on purpose."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible is not None and (not visible.strip() or visible.strip().startswith("-1"))


def _torch_gpu_count() -> int:
    import torch

    with warnings.catch_warnings():  # the reason is said in our own line
        warnings.simplefilter("ignore")
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _torch_uuid(number: int) -> str:
    import torch

    try:
        return str(getattr(torch.cuda.get_device_properties(number), "uuid", "")).lower()
    except (RuntimeError, AssertionError, ValueError):
        return ""


def _most_free(seen: list[Gpu], count: int) -> int:
    """torch's number of the GPU with the most free memory; the first where the driver cannot tell."""
    free = [gpu.free if (gpu := gpu_of(f"cuda:{number}", seen)) else -1 for number in range(count)]
    return max(range(count), key=lambda number: (free[number], -number))


def _unusable(gpu: Gpu) -> str:
    import torch

    has = driver()
    sees = f"the driver ({has.version or 'unknown version'}, CUDA {has.cuda or 'unknown'}) sees {gpu.name}"
    if torch.version.cuda is None:
        return f"{sees}, but torch {torch.__version__} is built without CUDA; install a CUDA build, or use --device cpu"
    return (
        f"{sees}, but torch {torch.__version__} (CUDA {torch.version.cuda}) cannot use it; "
        f"install a driver or a torch that match, or use --device cpu"
    )


def _architecture_problem(number: int) -> str | None:
    """One sentence if this torch has no kernels for a GPU. A binary runs within its major version, PTX on any newer."""
    import torch

    if torch.version.cuda is None:  # ROCm names its architectures otherwise
        return None
    major, minor = torch.cuda.get_device_capability(number)
    built = [re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", arch) for arch in torch.cuda.get_arch_list()]
    for match in filter(None, built):
        version = int(match[2]), int(match[3])
        if version <= (major, minor) and (match[1] == "compute" or version[0] == major):
            return None
    if not any(built):
        return None
    name = torch.cuda.get_device_name(number)
    return (
        f"cuda:{number} ({name}, compute capability {major}.{minor}): torch {torch.__version__} "
        f"(CUDA {torch.version.cuda}, driver {driver().version or 'unknown'}) has no kernels for it; "
        f"install a torch build that has, or use --device cpu"
    )
