"""Why an NVIDIA GPU that this machine shows signs of cannot be used, and what to do about it.

Torch-free, so that the screens can say it too: the installed torch is known by its files. :func:`look` gathers what can
be seen, :func:`trouble` says in one line what it means.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.nvml import Answer, Driver, Gpu, ask, driver

WITHOUT = "go on without the GPU: --device cpu"
FITTING = (
    "install a torch that fits it in an environment of your own "
    "(uv pip install --torch-backend=auto torch torchvision; see the README)"
)
PASS_IN = "docker run --gpus all, podman run --device nvidia.com/gpu=all, apptainer exec --nv"


@dataclass(frozen=True)
class TorchBuild:
    """The installed torch as its files say; ``cuda``, ``hip``: the versions that it was built with, "" without."""

    version: str = ""
    cuda: str = ""
    hip: str = ""


NO_ANSWER, NO_DRIVER, NO_TORCH = Answer(library=False), Driver(), TorchBuild()


@dataclass(frozen=True)
class Signs:
    """All that can be seen of NVIDIA GPUs here.

    answer, driver: NVML's. module: the version of the driver in the kernel, "" where /proc/driver/nvidia is not there,
    "unknown" where it does not say. nodes: the GPUs' files such as /dev/nvidia0; denied: those among them, and
    /dev/nvidiactl, that this user may not open. dxg: whether Windows passes its GPU in. pci: whether a device of
    NVIDIA's is on the bus, None where that cannot be seen. visible, passed: the variables CUDA_VISIBLE_DEVICES and
    NVIDIA_VISIBLE_DEVICES, None where they are not set.
    """

    answer: Answer = NO_ANSWER
    driver: Driver = NO_DRIVER
    module: str = ""
    nodes: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    dxg: bool = False
    pci: bool | None = None
    visible: str | None = None
    passed: str | None = None
    torch: TorchBuild = NO_TORCH

    @property
    def present(self) -> bool:
        """Whether there is a sign of a GPU."""
        # An image with the driver's libraries may run on a machine without a card: the bus tells.
        idle = "not loaded" in self.answer.problem.lower() and self.pci is False and not self.dxg
        return bool(self.module or self.nodes or self.answer.gpus or (self.answer.problem and not idle))

    @property
    def hidden(self) -> bool:
        """Whether the GPUs were taken away on purpose."""
        visible = None if self.visible is None else self.visible.strip()
        return visible == "" or (visible or "").startswith("-1") or self.passed in ("none", "void")


@dataclass(frozen=True)
class Trouble:
    """``text``: reason and remedy. ``certain``: the installed torch cannot use the GPU, whatever it would say."""

    text: str
    certain: bool = True

    @property
    def line(self) -> str:
        """The same with the way to go on without, for the command line."""
        return f"{self.text}, or {WITHOUT}"


def look(root: Path = Path("/"), environment: Mapping[str, str] = os.environ, answer: Answer | None = None) -> Signs:
    """What can be seen now. root: where /proc, /dev and /sys are. answer: NVML's, asked for if left out."""
    nodes = sorted(path for path in root.glob("dev/nvidia*") if re.fullmatch(r"nvidia(\d+|ctl)", path.name))
    return Signs(
        answer=ask() if answer is None else answer,
        driver=driver(),
        module=_module(root / "proc/driver/nvidia"),
        nodes=tuple(f"/dev/{node.name}" for node in nodes if node.name != "nvidiactl"),
        denied=tuple(f"/dev/{node.name}" for node in nodes if not os.access(node, os.R_OK | os.W_OK)),
        dxg=(root / "dev/dxg").exists(),
        pci=_on_the_bus(root / "sys/bus/pci/devices"),
        visible=environment.get("CUDA_VISIBLE_DEVICES"),
        passed=environment.get("NVIDIA_VISIBLE_DEVICES"),
        torch=torch_build(),
    )


def trouble(signs: Signs, torch_says: str | None = None) -> Trouble | None:
    """Why the GPU that there are signs of cannot be used; None where nothing speaks of one, or against it.

    torch_says: what torch gave as its reason for seeing no GPU, "" if it gave none; None if it was not asked: then it
    may see one.
    """
    if signs.hidden or not signs.present:
        return None
    found = [_of_the_driver(signs), _of_the_variable(signs), _of_the_build(signs, torch_says)]
    known = [each for each in found if each is not None]
    return next((each for each in known if each.certain), known[0] if known else _of_torch(signs, torch_says))


def missing(visible: str | None, gpus: tuple[Gpu, ...]) -> str:
    """The first name in CUDA_VISIBLE_DEVICES that is no GPU here, at which CUDA stops; "" if all are."""
    for name in (visible or "").split(","):
        word = name.strip()
        if not word or word.startswith(("-", "MIG-")):  # what a GPU is split into has no number here
            return ""
        if not any(word == str(gpu.index) or (gpu.uuid and gpu.uuid.startswith(word)) for gpu in gpus):
            return word
    return ""


def torch_build(folder: Path | None = None) -> TorchBuild:
    """The torch that would be imported, without importing it. folder: its package, looked for if left out."""
    try:
        if folder is None:
            spec = importlib.util.find_spec("torch")
            folder = Path(spec.origin).parent if spec is not None and spec.origin else None
        text = (folder / "version.py").read_text(encoding="utf-8") if folder is not None else ""
    except (OSError, ValueError, ImportError):  # not readable, or no package that could be imported
        text = ""
    found = dict(re.findall(r"^(__version__|cuda|hip)\b[^=\n]*= *'([^'\n]*)'", text, re.MULTILINE))
    return TorchBuild(found.get("__version__", ""), found.get("cuda", ""), found.get("hip", ""))


def _of_the_driver(signs: Signs) -> Trouble | None:
    """What is wrong below torch."""
    problem, gpus = signs.answer.problem, signs.answer.gpus
    known = signs.driver.version or signs.module
    what = f"the GPU cannot be used: {problem}" + (f" (driver {known})" if known else "")
    if "version mismatch" in problem.lower():
        return Trouble(f"{what}: the driver was upgraded while the machine ran; restart it (of a container, its host)")
    if gpus:
        return None
    if signs.module and not signs.nodes and not signs.dxg:
        return Trouble(
            f"the NVIDIA driver ({_version(signs)}) is loaded on this machine, but there is no /dev/nvidia0: in a "
            f"container, the card was not passed in ({PASS_IN}); elsewhere, sudo nvidia-modprobe -c 0 -u"
        )
    if signs.denied:
        return Trouble(
            f"the GPU cannot be used: this user may not open {signs.denied[0]}; ask whoever runs the machine "
            "for access (often a group such as video or render)"
        )
    if "not loaded" in problem.lower():
        return Trouble(f"{what}; load it (sudo modprobe nvidia), restart, or install the driver anew")
    if problem.startswith("GPU ") or (signs.answer.library and not problem):
        shown = f"shows none that works ({problem})" if problem else "shows none"
        return Trouble(f"the NVIDIA driver ({_version(signs)}) is there for a GPU, but {shown}; {_restart(signs)}")
    if problem:
        return Trouble(f"{what}; {_restart(signs)}", certain=False)
    if not signs.answer.library:
        return Trouble(
            f"the NVIDIA driver ({_version(signs)}) is loaded, but its library libnvidia-ml.so.1 is not installed "
            f"here: install or upgrade the driver; in a container, start that with the driver ({PASS_IN})",
            certain=False,
        )
    return None


def _of_the_variable(signs: Signs) -> Trouble | None:
    gpus = signs.answer.gpus
    wrong = missing(signs.visible, gpus)
    first = (signs.visible or "").split(",")[0].strip()
    if not gpus or not wrong or wrong != first:
        return None
    here = ", ".join(str(gpu.index) for gpu in gpus)
    return Trouble(
        f"CUDA_VISIBLE_DEVICES={signs.visible} names {wrong}, which is no GPU here: the driver shows {here}; "
        f"name one of them, unset the variable"
    )


def _of_the_build(signs: Signs, torch_says: str | None) -> Trouble | None:
    """Why this torch does not suit this driver."""
    build = signs.torch
    if build.version and not build.cuda:
        kind = f"for ROCm {build.hip}" if build.hip else "without CUDA"
        return Trouble(f"{_seen(signs)}, but torch {build.version} is built {kind}; {FITTING}")
    if 0 < _major(signs.driver.cuda) < _major(build.cuda) or "too old" in (torch_says or ""):
        return Trouble(f"{_seen(signs)}, but {_torch(signs)} needs a newer driver; upgrade the driver, or {FITTING}")
    return None


def _of_torch(signs: Signs, torch_says: str | None) -> Trouble | None:
    """What torch says itself, where nothing else explains it."""
    if torch_says is None:
        return None
    if not (says := torch_says):
        return Trouble(f"{_seen(signs)}, but {_torch(signs)} does not; {_restart(signs)}")
    if "not yet initialized" in says:
        says += ": on a board of several GPUs, start nvidia-fabricmanager"
    return Trouble(f"{_seen(signs)}, but {_torch(signs)} cannot use it: {says}; {_restart(signs)}")


def _seen(signs: Signs) -> str:
    has = signs.driver
    name = signs.answer.gpus[0].name if signs.answer.gpus else "an NVIDIA GPU"
    return f"the driver ({_version(signs)}, CUDA {has.cuda or 'unknown'}) sees {name}"


def _torch(signs: Signs) -> str:
    return f"torch {signs.torch.version or 'unknown'} (CUDA {signs.torch.cuda or 'unknown'})"


def _version(signs: Signs) -> str:
    return signs.driver.version or signs.module or "unknown version"


def _restart(signs: Signs) -> str:
    return "restart the machine or the container (nvidia-smi and dmesg say more)" + (
        f", or {FITTING}" if signs.answer.gpus else ""
    )


def _major(version: str) -> int:
    digits = version.partition(".")[0]
    return int(digits) if digits.isdigit() else 0


def _module(folder: Path) -> str:
    try:
        text = (folder / "version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown" if folder.is_dir() else ""
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else "unknown"


def _on_the_bus(folder: Path) -> bool | None:
    try:
        devices = list(folder.iterdir())
    except OSError:
        return None
    for device in devices:
        try:
            if (device / "vendor").read_text(encoding="ascii").strip().lower() == "0x10de":
                return True
        except (OSError, UnicodeDecodeError):
            continue
    return False if devices else None
