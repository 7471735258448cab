"""Where a run happens: what env.json says. Nothing in here may fail a run, or import torch."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.cores import usable_cores
from workbench.devices import driver, list_gpus
from workbench.runs.errors import RunError, replace_text
from workbench.storage.json_text import dumps
from workbench.storage.regular import MIDDLING, read_bytes

PACKAGES = ("torch", "torchvision", "numpy", "pydantic", "safetensors", "pillow", "scikit-learn")
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "PYTORCH_ALLOC_CONF",
)
DIFF_LIMIT = 200_000
"""Characters of a working tree's diff that are kept."""


def environment(argv: Sequence[str]) -> dict[str, Any]:
    """Versions, processors, the current folder's git state and the command line, as plain values."""
    here = _current_folder()
    return {
        "time": time.time(),
        "argv": list(argv),
        "folder": str(here),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "versions": {"workbench": version("workbench") or __version__} | {name: version(name) for name in PACKAGES},
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "gpus": [{"name": gpu.name, "memory": gpu.total, "uuid": gpu.uuid} for gpu in list_gpus()],
        "driver": driver().version,
        "driver_cuda": driver().cuda,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "git": git_state(here) if here else None,
    }


def note_resume(env_file: Path, argv: Sequence[str] | None = None) -> None:
    """Write down where and how a run goes on, below what env.json says about its start."""
    try:
        before = json.loads(read_bytes(env_file, MIDDLING))
    except (OSError, ValueError, RecursionError):
        before = {}
    if not isinstance(before, dict):
        before = {}
    earlier = before.get("resumed")
    now = environment(sys.argv if argv is None else argv)
    before["resumed"] = [*(earlier if isinstance(earlier, list) else []), now]
    with contextlib.suppress(RunError):
        replace_text(env_file, dumps(before, indent=2) + "\n")


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


def version(package: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit, changed files and their diff (bounded) of the repository that holds a folder; None without one."""
    root = _git(folder, "rev-parse", "--show-toplevel")
    if root is None:
        return None
    changed = (_git(folder, "status", "--porcelain") or "").splitlines()
    diff = _git(folder, "diff", "HEAD", "--no-ext-diff", "--no-color") or ""
    return {
        "root": root.strip(),
        "commit": (_git(folder, "rev-parse", "--verify", "--quiet", "HEAD") or "").strip() or None,
        "dirty": bool(changed),
        "changed": changed[:1000],
        "diff": diff[:DIFF_LIMIT],
        "diff_cut": len(diff) > DIFF_LIMIT,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    # Optional locks off: looking must not disturb a git command that runs beside.
    settings = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, env=settings, stdin=subprocess.DEVNULL, capture_output=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.decode(errors="replace") if result.returncode == 0 else None
