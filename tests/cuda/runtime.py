"""What the stand-in driver tells and takes: a log of launches, copies and waits; memory limits; planted faults."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["kernel", "library", "copy", "wait", "graph", "memory"]
KINDS: tuple[Kind, ...] = ("kernel", "library", "copy", "wait", "graph", "memory")
"""kernel, library: a launch of torch's own, or of cuBLAS and cuDNN; copy: or a fill; graph: the launch of one; memory:
an allocation."""


class _Entry(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("captured", ctypes.c_int),
        ("device", ctypes.c_int),
        ("stream", ctypes.c_uint),
        ("bytes", ctypes.c_size_t),
    ]


_LISTENER = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Entry))
_driver = ctypes.CDLL(None)


def present() -> bool:
    """Whether this process runs on the stand-in."""
    return hasattr(_driver, "standin_listen")


if present():
    _driver.standin_listen.argtypes = [_LISTENER]
    _driver.standin_plant.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
    _driver.standin_limit.argtypes = [ctypes.c_int, ctypes.c_size_t]
    _driver.standin_used.argtypes = [ctypes.c_int]
    _driver.standin_used.restype = ctypes.c_size_t
    _driver.standin_total.restype = ctypes.c_size_t
    _driver.standin_work.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    _driver.standin_stamp.argtypes = [ctypes.c_void_p]


# ---- the log ----
@dataclass(frozen=True)
class Entry:
    """One call that met the device.

    name: of the kernel (mangled), the library's function, or what was done. captured: recorded into a graph, not done.
    places: ``(file, line, function)`` of the Python that led to it, innermost first; empty for what autograd's own
    threads did. step: what ``Log.step`` was then. bytes: of a copy between host and device, or on it.
    """

    kind: Kind
    name: str
    captured: bool
    device: int
    stream: int
    places: tuple[tuple[str, int, str], ...]
    step: int
    bytes: int = 0

    @property
    def waits(self) -> bool:
        """Whether the host stands still for it: a wait, or a copy of memory that is not pinned."""
        return self.kind == "wait" or self.name.endswith("pageable")

    def line(self, within: str = "workbench") -> str:
        """``file:line`` of the innermost place in a folder of that name outside installed packages, or ``""``."""
        for file, line, _ in self.places:
            if f"/{within}/" in file and "site-packages" not in file:
                return f"{file.rsplit(f'/{within}/', 1)[1]}:{line}"
        return ""


@dataclass
class Log:
    """What was heard, in order. step: set it as a training goes on, and entries can be told apart by it."""

    entries: list[Entry] = field(default_factory=list)
    step: int = 0

    def of(self, *kinds: Kind, step: int | None = None) -> list[Entry]:
        """The entries of these kinds, or all; of one step, or of all."""
        wanted = kinds or KINDS
        return [e for e in self.entries if e.kind in wanted and (step is None or e.step == step)]

    def waits(self, step: int | None = None) -> list[Entry]:
        """Where the host stood still. The wait that follows a copy of pageable memory is told once."""
        found = [e for e in self.of(step=step) if e.waits and not e.captured]
        return [
            e
            for e, before in zip(found, [None, *found], strict=False)
            if not (before is not None and e.kind == "wait" and before.kind == "copy" and e.places == before.places)
        ]

    def launches(self, step: int | None = None) -> int:
        """How many calls launched something: kernels, libraries, copies and graphs, without what was only captured."""
        return sum(not e.captured for e in self.of("kernel", "library", "copy", "graph", step=step))


@contextmanager
def listened(*, places: bool = True) -> Iterator[Log]:
    """The log of everything that any thread does inside. places: with the Python lines, which costs some µs each."""
    log = Log()

    def hear(entry: ctypes._Pointer[_Entry]) -> None:
        e = entry.contents
        lines = []
        frame = sys._getframe(1) if places and _has_caller() else None
        while frame is not None:
            lines.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
            frame = frame.f_back
        found = tuple(line for line in lines if line[0] not in _OWN)
        log.entries.append(
            Entry(KINDS[e.kind], e.name.decode(), bool(e.captured), e.device, e.stream, found, log.step, e.bytes)
        )

    listener = _LISTENER(hear)
    _driver.standin_listen(listener)
    try:
        yield log
    finally:
        _driver.standin_listen(_LISTENER())
        _kept.append(listener)  # another thread may be inside it


_COMPUTING = ("runtime", "numbers", "operations", "host", "convolutions", "plugin")
_OWN = {str(Path(__file__).with_name(f"{name}.py")) for name in _COMPUTING}
_kept: list[object] = []


def _has_caller() -> bool:
    try:
        sys._getframe(2)
    except ValueError:
        return False
    return True


def total(kind: Kind) -> int:
    """How often this happened since the process began; costs nothing, so it can be read without listening."""
    return int(_driver.standin_total(KINDS.index(kind)))


def work(name: bytes, stream: int) -> int:
    """Note a library's work on a stream; CUDA's error number. The name must stay where it is."""
    return int(_driver.standin_work(name, stream))


# ---- time ----
_CLOCK = ctypes.CFUNCTYPE(ctypes.c_double)


@contextmanager
def clock(seconds: Callable[[], float]) -> Iterator[None]:
    """Events that are recorded inside have this clock's time, not this machine's."""
    planted = _CLOCK(lambda: 1000 * seconds())
    _driver.standin_clock(planted)
    try:
        yield
    finally:
        _driver.standin_clock(_CLOCK())
        _kept.append(planted)


def stamp(event: int) -> None:
    """Have an event, by its handle, be recorded now, as a graph does that it is a part of."""
    _driver.standin_stamp(event)


# ---- memory ----
@contextmanager
def memory(mebibytes: float, device: int = 0) -> Iterator[None]:
    """A device has this much memory inside, what is allocated already included; so it is full when it should be."""
    _driver.standin_limit(device, int(mebibytes * 2**20))
    try:
        yield
    finally:
        _driver.standin_limit(device, 0)


def used(device: int = 0) -> int:
    """Bytes that are allocated on a device, as its driver counts them."""
    return int(_driver.standin_used(device))


def context(device: int = 0) -> bool:
    """Whether anything in this process has met a device, so that it has a context there and takes memory for it."""
    return bool(_driver.standin_context(device))


# ---- faults ----
@contextmanager
def fails(error: str, *, after: int = 0, device: int | None = None, file: str = "") -> Iterator[None]:
    """Every call that meets the device fails inside.

    error: CUDA's name, such as ``"cudaErrorDevicesUnavailable"`` or ``"cudaErrorECCUncorrectable"``; after: this many
    calls are well first; device: only this one's; file: only once it is there. Raises ValueError for an unknown name.
    A real device stays lost for as long as the process lives; this one is there again afterwards.
    """
    if _driver.standin_plant(error.encode(), -1 if device is None else device, after, file.encode()) < 0:
        raise ValueError(f"{error!r} is none of the errors that the stand-in knows; driver/device.c has the table")
    try:
        yield
    finally:
        _driver.standin_plant(b"", -1, 0, b"")
