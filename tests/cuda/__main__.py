"""Runs the CUDA tests, or any command, on a CUDA device made of host memory.

    python -m tests.cuda [ARGUMENT OF PYTEST ...]       the tests marked cuda
    python -m tests.cuda --exec COMMAND [ARGUMENT ...]  for instance: --exec workbench run v0 --device cuda:0

The stand-in must be there before the process starts, so this sets the environment and becomes the other program.
Exits with 0 and the reason where there can be none.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cuda.building import Unavailable, built

REPOSITORY = Path(__file__).resolve().parents[2]
SITE = Path(__file__).resolve().parent / "site"


def main(arguments: list[str]) -> None:
    """Become pytest, or the command, with the stand-in loaded."""
    try:
        library = built()
    except Unavailable as reason:
        print(f"skipped: {reason}")
        return
    alone = arguments[:1] == ["--exec"]
    environment = dict(os.environ)
    environment["LD_PRELOAD"] = ":".join(filter(None, [str(library), environment.get("LD_PRELOAD")]))
    environment["TRITON_LIBCUDA_PATH"] = str(library.parent)
    environment["PYTHONPATH"] = ":".join(filter(None, [str(SITE), str(REPOSITORY), environment.get("PYTHONPATH")]))
    environment.setdefault("OMP_NUM_THREADS", "1")
    # what is freed is kept: to have the kernel give it again, zeroed, takes up to half the time of a step
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**30))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))
    environment.pop("STANDIN_COMPUTES", None)
    if alone:
        environment["STANDIN_COMPUTES"] = "1"
        command = arguments[1:]
        beside = Path(sys.executable).parent / command[0]
        program = str(beside) if beside.exists() else command[0]
        os.execvpe(program, [program, *command[1:]], environment)
    tests = [sys.executable, "-m", "pytest", "-p", "tests.cuda.plugin", "-m", "cuda", *arguments]
    os.execve(sys.executable, tests, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
