"""Where to train: the choice of a GPU for torch, which is imported only then, and what the driver says of it."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping

from workbench.filesystem import gone
from workbench.format import GIB, gib_of
from workbench.gpu_signs import Trouble, look, missing, trouble
from workbench.nvml import Driver, Gpu, GpuProcess, GpuUse, driver, gpu_use, list_gpus, neighbours

__all__ = [
    "GIB", "DeviceError", "Driver", "Gpu", "GpuProcess", "GpuUse", "Trouble",
    "busy", "choose", "driver", "gpu_of", "gpu_trouble", "gpu_use", "list_gpus", "named", "neighbours", "parse",
    "refusal",
]  # fmt: skip


class DeviceError(Exception):
    """A device that does not exist or cannot be used; one line."""


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
    is asked for that does not exist, or where there are signs of a GPU that torch cannot use: with the reason and the
    remedy; and in a current folder that was deleted, where torch cannot be loaded.
    """
    wanted = parse(option)
    if lost := gone():  # torch's mathematical library aborts the process there
        raise DeviceError(lost)
    if wanted == "cpu":
        return "cpu"
    seen = list_gpus()
    count, says = _torch_sees()
    if count == 0:
        prefix = "" if wanted == "auto" else f"{wanted}: "
        signs = look()
        if found := trouble(signs, says):
            raise DeviceError(f"{prefix}{found.line}")
        if wanted == "auto":
            return "cpu"
        reason = "CUDA_VISIBLE_DEVICES hides every GPU" if signs.present else "no GPU was found"
        raise DeviceError(f"{wanted}: {reason}; use --device cpu")
    number = _most_free(seen, count) if wanted == "auto" else int(wanted.removeprefix("cuda:"))
    if number >= count:
        known = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        wrong = missing(visible, tuple(seen)) if seen else ""
        cut = f"; CUDA_VISIBLE_DEVICES={visible} ends at {wrong}, which is no GPU here" if wrong else ""
        raise DeviceError(f"{wanted}: there is no such GPU; torch sees {known}{cut}")
    if problem := architecture_problem(number):
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
    names = ", ".join(map(named, gpu.processes[:5]))
    free = "" if gpu.free is None or gpu.total is None else f"; {gib_of(gpu.free, gpu.total)} are free"
    return f"{device} ({gpu.name}) is also used by {others}: {names}{free}"


def named(process: GpuProcess) -> str:
    """``python3 (pid 77)``; "a process" of which the driver tells neither."""
    name = process.name or "a process"
    return f"{name} (pid {process.pid})" if process.pid else name


def refusal(option: str = "auto", environment: Mapping[str, str] = os.environ) -> str:
    """Why :func:`choose` would refuse, as far as that is certain without torch; "" where nothing speaks against it.

    environment: that of the process which will train. For whoever only hands a run on. Raises DeviceError for an option
    that is none.
    """
    wanted = parse(option)
    if lost := gone():
        return lost
    found = None if wanted == "cpu" else trouble(look(environment=environment))
    if found is None or not found.certain:
        return ""
    return found.line if wanted == "auto" else f"{wanted}: {found.line}"


def gpu_trouble() -> Trouble | None:
    """What is wrong with the GPU of this machine, as far as it can be told without torch; None without one, too."""
    return trouble(look())


def _torch_sees() -> tuple[int, str]:
    """How many GPUs torch can use, and why it sees none where it says so."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    reasons = [" ".join(str(warning.message).split()) for warning in caught]
    told = next((reason for reason in reasons if "CUDA" in reason or "driver" in reason), "")
    return count, told.removeprefix("CUDA initialization: ").partition(" (Triggered internally")[0]


def _torch_uuid(number: int) -> str:
    import torch

    try:
        return str(getattr(torch.cuda.get_device_properties(number), "uuid", "")).lower()
    except (RuntimeError, AssertionError, ValueError):
        return ""


def _most_free(seen: list[Gpu], count: int) -> int:
    """torch's number of the GPU with the most free memory; the first where the driver cannot tell."""
    known = [gpu_of(f"cuda:{number}", seen) for number in range(count)]
    free = [-1 if gpu is None or gpu.free is None else gpu.free for gpu in known]
    return max(range(count), key=lambda number: (free[number], -number))


def architecture_problem(number: int) -> str | None:
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
