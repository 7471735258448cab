"""The stand-in driver is compiled on demand, with gcc and the headers that torch's own wheels bring."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import platformdirs

SOURCES = Path(__file__).parent / "driver"
CUDA = 13
"""The major version of CUDA whose functions and structures the stand-in has; torch 2.11 and 2.15 are tested with it."""
OPTIONS = ("-O1", "-std=gnu11", "-Wall", "-Wno-attributes", "-fvisibility=hidden", "-shared", "-fPIC", "-pthread")


class Unavailable(Exception):
    """Why there can be no stand-in here, in one line."""


def built() -> Path:
    """The compiled stand-in for the torch that this Python has, made if need be. Raises Unavailable."""
    compiler, headers = shutil.which("gcc"), _headers()
    if compiler is None:
        raise Unavailable("the stand-in for a CUDA device is compiled with gcc, which is not here")
    files = sorted([*SOURCES.glob("*.c"), *SOURCES.rglob("*.h")])
    version = re.search(r"CUDART_VERSION\s+(\d+)", (headers / "cuda_runtime_api.h").read_text())
    key = hashlib.sha256("".join([*(f.read_text() for f in files), str(version), str(OPTIONS)]).encode()).hexdigest()
    folder = Path(os.environ.get("STANDIN_CACHE") or platformdirs.user_cache_path("workbench-tests")) / key[:16]
    library = folder / "libcuda.so.1"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f"{os.getpid()}.so"
        command = [compiler, *OPTIONS, f"-I{SOURCES}", f"-I{headers}", *map(str, SOURCES.glob("*.c"))]
        done = subprocess.run(
            [*command, "-o", str(aside), "-Wl,-soname,libcuda.so.1", "-ldl"], capture_output=True, text=True
        )
        if done.returncode:
            raise Unavailable(f"gcc cannot compile the stand-in against {headers}:\n{done.stderr}")
        aside.replace(library)
    return library


def _headers() -> Path:
    """The CUDA headers beside torch, which is not imported: what is preloaded must be there before it."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        raise Unavailable("torch is not installed")
    said = re.search(r"^cuda[^=]*= '(\d+)[^']*'", (Path(torch.origin).parent / "version.py").read_text(), re.MULTILINE)
    if said is None:
        raise Unavailable("this torch has no CUDA side")
    if int(said[1]) != CUDA:
        raise Unavailable(f"the stand-in knows CUDA {CUDA}, and this torch was built with CUDA {said[1]}")
    wheels = importlib.util.find_spec(f"nvidia.cu{CUDA}")
    for place in (wheels.submodule_search_locations or []) if wheels else []:
        if (headers := Path(place) / "include" / "cuda_runtime_api.h").exists():
            return headers.parent
    raise Unavailable("the CUDA headers that come with torch's own wheels are not here")
