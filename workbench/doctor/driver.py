"""GPU driver and torch: what is installed, whether they fit, and what each sees."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from workbench.doctor.finding import Finding, numbers
from workbench.doctor.worker import Failure
from workbench.gpu_signs import Signs, look, trouble

GROUP = "GPU driver and torch"


@dataclass(frozen=True)
class Device:
    """A GPU as torch sees it. capability: such as "9.0". supported: whether this torch has kernels for it."""

    number: int
    name: str
    uuid: str
    capability: str
    memory: int
    supported: bool


@dataclass(frozen=True)
class TorchSees:
    """What the installed torch says. says: why it sees no GPU, "" if it does not say."""

    version: str = ""
    cuda: str = ""
    cudnn: int = 0
    says: str = ""
    threads: int = 0
    formats: list[str] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)


def signs() -> Signs:
    """What can be seen of NVIDIA GPUs without torch."""
    return look()


def torch_sees() -> TorchSees:
    """What torch can use. Imports it."""
    import torch

    from workbench.precision import native_formats

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    told = [" ".join(str(each.message).split()) for each in caught]
    says = next((text for text in told if "CUDA" in text or "driver" in text), "")
    device = torch.device("cuda:0" if count else "cpu")
    return TorchSees(
        version=torch.__version__,
        cuda=torch.version.cuda or "",
        cudnn=_cudnn(),
        says=says.removeprefix("CUDA initialization: ").partition(" (Triggered internally")[0],
        threads=torch.get_num_threads(),
        formats=list(native_formats(device)),
        devices=[_device(number) for number in range(count)],
    )


def _cudnn() -> int:
    import torch

    return int(torch.backends.cudnn.version() or 0) if torch.version.cuda else 0  # type: ignore[no-untyped-call]


def _device(number: int) -> Device:
    import torch

    from workbench.devices import architecture_problem

    found = torch.cuda.get_device_properties(number)
    return Device(
        number=number,
        name=str(found.name),
        uuid=str(getattr(found, "uuid", "")),
        capability=f"{found.major}.{found.minor}",
        memory=int(found.total_memory),
        supported=architecture_problem(number) is None,
    )


def judge(seen: Signs | Failure, torch: TorchSees | Failure) -> list[Finding]:
    """The lines of the group."""
    return [*_driver(seen, torch), *_torch(torch), *_fit(seen, torch)]


def _driver(seen: Signs | Failure, torch: TorchSees | Failure) -> list[Finding]:
    if isinstance(seen, Failure):
        meaning = "the driver does not answer: nothing can be trained on the GPU" if seen.hung else "nothing is known"
        remedy = "see whether nvidia-smi answers; if not, restart the machine (dmesg says more)"
        return [Finding(GROUP, "driver", "broken", seen.reason, meaning, remedy)]
    has_devices = not isinstance(torch, Failure) and bool(torch.devices)
    found = []
    if seen.answer.library and not seen.answer.problem:
        version = f"{seen.driver.version or 'unknown'}, runs CUDA up to {seen.driver.cuda or 'unknown'}"
        count = len(seen.answer.gpus)
        shown = f"it shows {count} GPU{'s' if count != 1 else ''}"
        found.append(Finding(GROUP, "driver", "ok", version, shown))
    elif not seen.present and not has_devices:
        found.append(Finding(GROUP, "driver", "ok", "no GPU", "trains on the CPU"))
    if not seen.answer.library and (has_devices or seen.present):
        found.append(
            Finding(
                GROUP, "NVML", "warn", "the library libnvidia-ml.so.1 is not installed",
                "memory, use and health of the GPUs are not known here",
                "install the driver's user-space libraries; in a container, start it with --gpus all",
            )
        )  # fmt: skip
    return found


def _torch(torch: TorchSees | Failure) -> list[Finding]:
    if isinstance(torch, Failure):
        if torch.hung:
            text = f"does not come back from its import: {torch.reason}"
            remedy = "see load and disks below; when less goes on: python -c 'import torch'"
            return [Finding(GROUP, "torch", "broken", text, "no run would begin either", remedy)]
        meaning = "nothing can be trained"
        return [Finding(GROUP, "torch", "broken", f"cannot be imported: {torch.reason}", meaning, REINSTALL)]
    built = f"CUDA {torch.cuda}" + (f", cuDNN {torch.cudnn}" if torch.cudnn else "") if torch.cuda else "no CUDA"
    text = f"{torch.version}, built with {built}"
    count = len(torch.devices)
    meaning = f"it can use {count} GPU{'s' if count != 1 else ''}" if count else "it uses the CPU"
    found = [Finding(GROUP, "torch", "ok", text, meaning)]
    for device in torch.devices:
        if not device.supported:
            what = f"{device.name}, compute capability {device.capability}"
            meaning = f"torch {torch.version} (CUDA {torch.cuda}) has no kernels for it"
            found.append(Finding(GROUP, f"cuda:{device.number}", "broken", what, meaning, FITTING))
    formats = " and ".join(torch.formats) or "none"
    where = torch.devices[0].name if torch.devices else "the CPU"
    tf32 = [d for d in torch.devices if float(d.capability.partition(".")[0] or 0) >= 8]
    text = f"{formats}{', and TF32' if tf32 else ''} by {where} itself"
    meaning = "other formats are emulated, far slower"
    if not torch.formats:
        text, meaning = f"{where} computes in neither bf16 nor fp16 itself", "stay with fp32: both would be slower"
    found.append(Finding(GROUP, "formats", "ok" if torch.formats else "note", text, meaning))
    return found


def _fit(seen: Signs | Failure, torch: TorchSees | Failure) -> list[Finding]:
    if isinstance(seen, Failure):
        return []
    sees_some = not isinstance(torch, Failure) and bool(torch.devices)
    if seen.hidden and not sees_some:
        name = "CUDA_VISIBLE_DEVICES" if seen.visible is not None else "NVIDIA_VISIBLE_DEVICES"
        value = seen.visible if seen.visible is not None else seen.passed
        return [Finding(GROUP, "fit", "note", f'{name}="{value}"', "the GPUs are hidden on purpose: the CPU trains")]
    found = trouble(seen, None if sees_some or isinstance(torch, Failure) else torch.says)
    if found is not None and not (sees_some and not found.certain):
        reason, remedy = _parted(found.text)
        return [Finding(GROUP, "fit", "broken", reason, "it cannot train on the GPU", f"{remedy}, or --device cpu")]
    if isinstance(torch, Failure) or not torch.devices:
        return []
    text = f"driver CUDA {seen.driver.cuda or 'unknown'}, torch CUDA {torch.cuda}"
    driver, built = numbers(seen.driver.cuda)[:2], numbers(torch.cuda)[:2]
    if driver and driver < built:
        meaning = "fits: within a major version an older driver runs what a newer CUDA built"
        return [Finding(GROUP, "fit", "note", text, meaning)]
    meaning = "they fit" if seen.driver.cuda else "torch can use the GPU, so they fit"
    return [Finding(GROUP, "fit", "ok", text, meaning)]


REINSTALL = "install it anew: uv pip install --reinstall torch torchvision"
FITTING = "uv pip install --torch-backend=auto torch torchvision, in an environment of your own; or --device cpu"


def _parted(text: str) -> tuple[str, str]:
    """Reason and remedy of a trouble's sentence."""
    before, between, after = text.partition(": in a container, the card was not passed in ")
    if between:
        return before, f"in a container, pass the card in {after}"
    reason, _, remedy = text.partition("; ")
    return reason, remedy
