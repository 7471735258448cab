"""Where compiled kernels are kept between processes, and how a long compilation says that it is at work."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from workbench.storage.user_cache import user_cache

INDUCTOR, TRITON = "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"
"""What tells torch's compiler and Triton where to keep what they make."""
FIRST_WORD_SECONDS = 10.0
"""A compilation that takes longer says so, again after twice as long, and so on."""

FILE_CLOCK_SECONDS = 0.05
"""By so much the clock that stamps files may be behind the process's."""


def kernels_folder(device: torch.device) -> Path:
    """The folder for kernels of these versions and this processor; it may be removed at any time."""
    versions = [f"python-{platform.python_version()}", f"torch-{torch.__version__}"]
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        versions += [_triton(), properties.name, f"sm-{properties.major}{properties.minor}"]
    else:
        versions += [platform.machine(), torch.backends.cpu.get_cpu_capability()]
    return user_cache("kernels") / re.sub(r"[^A-Za-z0-9.+-]+", "-", "-".join(versions))


def _triton() -> str:
    try:
        import triton
    except ImportError:
        return "no-triton"
    return f"triton-{triton.__version__}"


@contextmanager
def kernels_kept(device: torch.device) -> Iterator[Path | None]:
    """What is compiled in the block is kept for later processes; in the folder that is yielded.

    Where the user names a folder for either compiler, that one holds. None where ours cannot be written to: torch's own
    is used, which is gone when the machine starts anew.
    """
    before = {name: os.environ.get(name) for name in (INDUCTOR, TRITON)}
    if (named := before[INDUCTOR]) and not _is_torchs_own(Path(named)):
        yield Path(named)
        return
    folder = kernels_folder(device)
    if not _writable(folder):
        yield None
        return
    os.environ[INDUCTOR] = str(folder / "inductor")
    if not before[TRITON]:
        os.environ[TRITON] = str(folder / "triton")
    try:
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_torchs_own(folder: Path) -> bool:
    """Whether it is what torch falls back to, and writes into the environment once it has looked there."""
    return folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith("torchinductor_")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def kernels_in(folder: Path, since: float = 0.0) -> int:
    """How many compiled kernels lie there that were made from a time on, in seconds since 1970."""
    found = (path for path in folder.rglob("*") if path.suffix in (".cubin", ".so"))
    return sum(path.stat().st_mtime >= since for path in found)


class Compilation:
    """A compilation at work: says so as time goes by, from a thread of its own, since its own is busy."""

    def __init__(self, folder: Path | None, report: Callable[[str], None], first: float = FIRST_WORD_SECONDS) -> None:
        self._folder = folder
        self._report = report
        self._began = time.perf_counter()
        self._since = time.time() - FILE_CLOCK_SECONDS
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._say, args=(first,), name="compilation", daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Nothing more is said; returns how many seconds it took."""
        self._over.set()
        self._thread.join()
        return self._seconds()

    def made(self) -> int:
        """How many kernels it has made, 0 where they are not kept. It looks through the folder, which may be large."""
        return kernels_in(self._folder, self._since) if self._folder is not None else 0

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _say(self, wait: float) -> None:
        while not self._over.wait(wait):
            with suppress(Exception):  # whoever cannot be told is told next time by the training itself
                made = f", {kernels(self.made())} so far" if self._folder is not None else ""
                self._report(f"compiling the network for {self._seconds():,.0f} s{made}")
            wait = self._seconds()  # until twice as long


def kernels(count: int) -> str:
    """So many kernels, in words."""
    return f"{count:,} kernel{'' if count == 1 else 's'}"
