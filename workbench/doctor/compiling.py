"""CUDA graphs, torch.compile and the compiler that both of its ways need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.doctor.finding import Finding, Level
from workbench.doctor.worker import Failure

GROUP = "graph and compiler"


@dataclass(frozen=True)
class Compiler:
    """path: the C++ compiler that torch would take, "" without. header: whether Python.h is there. error: its words."""

    path: str = ""
    header: bool = False
    error: str = ""


@dataclass(frozen=True)
class Tried:
    """Something that was done once. right: whether its result was; seconds: what it took; error: why it failed."""

    right: bool = False
    seconds: float = 0.0
    error: str = ""


def compiler() -> Compiler:
    """Find the compiler and have it compile one line."""
    names = [os.environ.get("CC", ""), os.environ.get("CXX", ""), "gcc", "g++", "clang"]
    path = next((found for name in names if name and (found := shutil.which(name))), "")
    header = Path(sysconfig.get_paths()["include"], "Python.h").is_file()
    if not path:
        return Compiler(header=header)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "one.c")
        source.write_text("int one(void) { return 1; }\n")
        command = [path, "-shared", "-fPIC", "-o", str(Path(folder, "one.so")), str(source)]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=20)
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    error = "" if done.returncode == 0 else (lines[-1] if lines else f"code {done.returncode}")
    return Compiler(path, header, error)


def graph(device: str) -> Tried:
    """Record a product and repeat it with other numbers."""
    import torch

    place = torch.device(device)
    began = time.perf_counter()
    try:
        with torch.cuda.device(place):
            a = torch.ones(64, 64, device=place)
            for _ in range(3):
                a @ a
            torch.cuda.synchronize(place)
            recorded = torch.cuda.CUDAGraph()
            with torch.cuda.graph(recorded):
                product = a @ a + 1
            a.fill_(2)
            recorded.replay()
            right = bool((product.cpu() == 257).all())
    except RuntimeError as error:
        return Tried(error=_line(error))
    return Tried(right, time.perf_counter() - began)


def compile_once(device: str) -> Tried:
    """Compile a small function with nothing kept from earlier, and call it."""
    import torch

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        os.environ["TRITON_CACHE_DIR"] = str(Path(folder, "triton"))
        began = time.perf_counter()
        try:
            function = torch.compile(lambda x: (torch.relu(x) * 2 + 1).sum(0), dynamic=False)
            right = bool((function(torch.ones(64, 64, device=device)).cpu() == 192).all())
        except Exception as error:
            return Tried(error=_line(error))
        return Tried(right, time.perf_counter() - began)


def _line(error: BaseException) -> str:
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]


def judge_compiler(found: Compiler | Failure) -> list[Finding]:
    """Whether torch.compile has what it needs."""
    if isinstance(found, Failure):
        meaning = "torch.compile may hang or fail likewise"
        return [Finding(GROUP, "compiler", "warn", found.reason, meaning, INSTALL)]
    lost = 'train.compile = "default" and "max" need it; "off" and "graph" do not'
    if not found.path:
        return [Finding(GROUP, "compiler", "warn", "no gcc, g++ or clang", lost, INSTALL)]
    if found.error:
        text = f"{found.path} does not compile: {found.error}"
        return [Finding(GROUP, "compiler", "warn", text, lost, INSTALL)]
    if not found.header:
        text = f"{found.path}, but Python.h is missing"
        return [Finding(GROUP, "compiler", "warn", text, lost, "apt install python3-dev, or a Python by uv")]
    return [Finding(GROUP, "compiler", "ok", f"{found.path}, with Python.h", "torch.compile has what it needs")]


INSTALL = "apt install build-essential (or gcc and g++ as your system has them)"


def _failure(found: Tried | Failure, level: Level, wrong: str) -> tuple[Level, str] | None:
    """Level and words of what failed, or gave wrong numbers, which is always broken."""
    if isinstance(found, Failure):
        return level, found.reason
    if found.error:
        return level, found.error
    return None if found.right else ("broken", wrong)


def judge_graph(found: Tried | Failure, device: str) -> list[Finding]:
    """Whether a step can be recorded there."""
    meaning = 'train.compile = "graph" and "max" need it'
    remedy = 'use train.compile = "off"; a newer driver or torch may mend it'
    if failed := _failure(found, "broken", "a repeated recording gives wrong numbers"):
        return [Finding(GROUP, f"{device} graph", *failed, meaning, remedy)]
    return [Finding(GROUP, f"{device} graph", "ok", "recorded and repeated", f"{meaning}: it works")]


def judge_compiled(found: Tried | Failure, device: str) -> list[Finding]:
    """Whether torch.compile works there."""
    meaning = 'train.compile = "default" and "max" need it'
    remedy = 'use train.compile = "off" or "graph"; see compiler'
    if failed := _failure(found, "warn", "what it compiled gives wrong numbers"):
        return [Finding(GROUP, f"{device} torch.compile", *failed, meaning, remedy)]
    assert isinstance(found, Tried)
    text = f"a small function in {found.seconds:.1f} s, compiler's start included"
    return [Finding(GROUP, f"{device} torch.compile", "ok", text, f"{meaning}: it works")]
