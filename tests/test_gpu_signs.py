"""What is said of a GPU that cannot be used: each combination of signs, and where there is none, nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from workbench import gpu_signs, nvml
from workbench.gpu_signs import WITHOUT, Signs, TorchBuild, look, missing, torch_build, trouble
from workbench.nvml import Answer, Driver, Gpu

H100 = Gpu(0, "GPU-aaaa", "NVIDIA H100", 70, 80)
A100 = Gpu(1, "GPU-bbbb", "NVIDIA A100", 30, 40)
CUDA = TorchBuild("2.15.0+cu132", cuda="13.2")
NODES = ("/dev/nvidia0",)
FINE = Signs(Answer((H100, A100)), Driver("580.65.06", "13.0"), "580.65.06", NODES, pci=True, torch=CUDA)
BARE = replace(FINE, answer=Answer(), driver=Driver())


def said(signs: Signs, torch_says: str | None = "") -> str:
    found = trouble(signs, torch_says)
    return found.text if found is not None else ""


def failing(problem: str) -> Signs:
    """A box with everything in place whose NVML fails to start."""
    return replace(BARE, answer=Answer(problem=problem))


def tree(root: Path, *files: str, **texts: str) -> Path:
    """A file system: empty files, and those with a text, whose names have ``__`` for a slash."""
    for name, text in [*((file, "") for file in files), *((name.replace("__", "/"), t) for name, t in texts.items())]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version: 12.2\n"


@pytest.mark.parametrize(
    ("signs", "reason", "remedy"),
    [
        (
            replace(failing("Driver/library version mismatch"), module="535.104.05"),
            "Driver/library version mismatch (driver 535.104.05): the driver was upgraded while the machine ran",
            "restart it",
        ),
        (  # in a container the card need not even be passed in to see this
            replace(failing("RM has detected an NVML/RM version mismatch."), nodes=()),
            "the driver was upgraded while the machine ran",
            "restart it (of a container, its host)",
        ),
        (replace(failing("Driver Not Loaded"), module="", nodes=()), "Driver Not Loaded", "install the driver anew"),
        (failing("Unknown Error"), "the GPU cannot be used: Unknown Error (driver 580.65.06)", "restart the machine"),
        (
            replace(BARE, answer=Answer(library=False), nodes=()),
            "the NVIDIA driver (580.65.06) is loaded on this machine, but there is no /dev/nvidia0: in a container, "
            "the card was not passed in",
            "docker run --gpus all",
        ),
        (replace(BARE, nodes=()), "there is no /dev/nvidia0", "sudo nvidia-modprobe -c 0 -u"),
        (
            replace(BARE, answer=Answer(library=False)),
            "its library libnvidia-ml.so.1 is not installed here",
            "install or upgrade the driver; in a container, start that with the driver (docker run --gpus all",
        ),
        (
            replace(BARE, answer=Answer(library=False), module=""),
            "the NVIDIA driver (unknown version) is loaded, but its library",
            "install or upgrade the driver",
        ),
        (
            replace(failing("Insufficient Permissions"), denied=("/dev/nvidia0",)),
            "this user may not open /dev/nvidia0",
            "ask whoever runs the machine for access",
        ),
        (BARE, "the NVIDIA driver (580.65.06) is there for a GPU, but shows none;", "dmesg"),
        (failing("GPU 0: GPU is lost"), "shows none that works (GPU 0: GPU is lost)", "restart the machine"),
        (
            replace(FINE, driver=Driver("535.104.05", "12.2")),
            "the driver (535.104.05, CUDA 12.2) sees NVIDIA H100, but torch 2.15.0+cu132 (CUDA 13.2) needs a newer",
            "uv pip install --torch-backend=auto torch torchvision",
        ),
        (
            replace(FINE, torch=TorchBuild("2.15.0+cpu")),
            "torch 2.15.0+cpu is built without CUDA",
            "uv pip install --torch-backend=auto torch torchvision",
        ),
        (replace(FINE, torch=TorchBuild("2.15.0+rocm6.4", hip="6.4")), "is built for ROCm 6.4", "--torch-backend=auto"),
        (
            replace(BARE, answer=Answer(library=False), torch=TorchBuild("2.15.0+cpu")),
            "sees an NVIDIA GPU, but torch 2.15.0+cpu is built without CUDA",
            "--torch-backend=auto",
        ),
        (replace(FINE, visible="7"), "CUDA_VISIBLE_DEVICES=7 names 7, which is no GPU here", "the driver shows 0, 1"),
        (FINE, "sees NVIDIA H100, but torch 2.15.0+cu132 (CUDA 13.2) does not", "restart the machine"),
    ],
)
def test_each_has_its_reason_and_its_remedy(signs: Signs, reason: str, remedy: str) -> None:
    found = trouble(signs, "")
    assert found is not None
    assert reason in found.text and remedy in found.text
    assert "\n" not in found.line and found.line.endswith(f", or {WITHOUT}") and "--device cpu" in found.line


@pytest.mark.parametrize(
    "signs",
    [
        Signs(torch=CUDA),  # no card and no sign of one
        Signs(pci=True, torch=CUDA),
        Signs(torch=TorchBuild("2.15.0+cpu")),
        # An image with the driver's libraries on a machine without a card.
        Signs(Answer(problem="Driver Not Loaded"), pci=False, torch=CUDA),
        replace(FINE, visible=""),
        replace(FINE, visible="-1"),
        replace(failing("Driver/library version mismatch"), visible=""),
        replace(BARE, nodes=(), passed="void"),
    ],
)
def test_the_cpu_is_meant_where_no_card_is_or_none_is_wanted(signs: Signs) -> None:
    assert said(signs) == said(signs, None) == ""


def test_without_torch_only_what_is_certain_is_claimed() -> None:
    assert said(FINE, None) == ""
    for signs, certain in (
        (failing("Driver/library version mismatch"), True),
        (replace(FINE, driver=Driver("535.1", "12.2")), True),
        (replace(FINE, torch=TorchBuild("2.15.0+cpu")), True),
        (replace(FINE, visible="7"), True),
        (replace(BARE, nodes=()), True),
        # With "compute" alone a container has CUDA, but no NVML.
        (replace(BARE, answer=Answer(library=False)), False),
        (failing("Unknown Error"), False),
    ):
        found = trouble(signs)
        assert found is not None and found.certain == certain


def test_a_driver_of_the_same_major_version_will_do() -> None:
    assert said(replace(FINE, driver=Driver("580.1", "13.0")), None) == ""
    assert said(replace(FINE, driver=Driver("", "")), None) == ""
    assert "needs a newer driver" in said(FINE, "The NVIDIA driver on your system is too old (found version 12020).")


@pytest.mark.parametrize(
    ("visible", "name"),
    [(None, ""), ("0,1", ""), ("1, 0", ""), ("0,2", "2"), ("GPU-bb", ""), ("GPU-cc", "GPU-cc"), ("MIG-1", ""),
     ("0,-1,9", ""), ("NoDevFiles", "NoDevFiles"), ("cuda:0", "cuda:0")],
)  # fmt: skip
def test_the_first_name_that_is_no_gpu(visible: str | None, name: str) -> None:
    assert missing(visible, (H100, A100)) == name


def test_signs_are_looked_for_in_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "start", lambda: (_ for _ in ()).throw(pynvml.NVMLError(12)))
    nothing = look(tree(tmp_path / "a", "dev/null", "dev/nvidia-uvm", sys__bus__pci__devices__0__vendor="0x8086\n"), {})
    assert (nothing.module, nothing.nodes, nothing.pci, nothing.present) == ("", (), False, False)
    box = tree(
        tmp_path / "b", "dev/nvidia0", "dev/nvidia1", "dev/nvidiactl", "dev/nvidia-uvm",
        proc__driver__nvidia__version=MODULE, sys__bus__pci__devices__1__vendor="0x10DE\n",
    )  # fmt: skip
    found = look(box, {"CUDA_VISIBLE_DEVICES": "1"})
    assert (found.module, found.nodes) == ("535.104.05", ("/dev/nvidia0", "/dev/nvidia1"))
    assert (found.pci, found.present, found.visible, found.denied) == (True, True, "1", ())
    assert found.answer == Answer(library=False)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "nvidia1")
    assert look(box, {}).denied == ("/dev/nvidia1",)
    (tmp_path / "c" / "proc" / "driver" / "nvidia").mkdir(parents=True)
    assert look(tmp_path / "c", {}).module == "unknown"
    assert look(tmp_path / "none", {}).pci is None


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, Answer(library=False)),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, Answer(problem="Driver Not Loaded")),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, None),
        (pynvml.NVML_ERROR_NO_PERMISSION, None),
        (pynvml.NVML_ERROR_UNKNOWN, None),
    ],
)
def test_nvmls_own_errors_are_known(monkeypatch: pytest.MonkeyPatch, code: int, answer: Answer | None) -> None:
    monkeypatch.setattr(nvml, "start", lambda: (_ for _ in ()).throw(pynvml.NVMLError(code)))
    found = nvml.ask()
    assert found.gpus == () and found == (answer or found)
    if answer is None:
        assert found.problem and found.library
    assert nvml.driver() == Driver() and nvml.list_gpus() == [] and nvml.gpu_use("GPU-1") is None


def test_a_version_mismatch_is_told_in_nvmls_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        nvml, "start", lambda: (_ for _ in ()).throw(pynvml.NVMLError(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    )
    assert "upgraded while the machine ran; restart it" in said(look())


def test_a_failure_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.start.cache_clear()
    tries = []

    def init() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)

    monkeypatch.setattr(pynvml, "nvmlInit", init)
    assert nvml._started() is None
    assert nvml._started() is pynvml is nvml._started() and len(tries) == 2
    nvml.start.cache_clear()


def test_the_build_of_torch_is_read_without_importing_it(tmp_path: Path) -> None:
    import torch

    found = torch_build()
    assert (found.version, found.cuda) == (torch.__version__, torch.version.cuda or "")
    (tmp_path / "version.py").write_text("__version__ = '2.15.0+rocm6.4'\ncuda: Optional[str] = None\nhip = '6.4'\n")
    assert torch_build(tmp_path) == TorchBuild("2.15.0+rocm6.4", hip="6.4")
    assert torch_build(tmp_path / "none") == TorchBuild()


def test_a_machine_without_a_sign_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "start", lambda: (_ for _ in ()).throw(pynvml.NVMLError(12)))
    assert gpu_signs.trouble(look(tmp_path, {})) is None
