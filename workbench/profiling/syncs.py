"""Where a step waits for the GPU: the lines of Python that call for a value, or for all to be done, and how long."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import torch

from workbench.engine.lines import LOOP, PACKAGE, is_library
from workbench.torch_compat import TorchDispatchMode

ON_PURPOSE = tuple(
    str(PACKAGE / place) for place in ("engine/between_steps.py", "engine/saving.py", "engine/meter.py", "profiling")
)
"""What waits between the steps, whatever it calls for that."""

OWN = str(Path(__file__).resolve())
BACKWARD = "the backward pass"
"""Whose threads run no Python but what a function of the user's own brings."""

ENGINE = (torch.autograd.backward.__code__, torch.autograd.grad.__code__)
"""What calls for a backward pass and returns when it is over."""

EXPLICIT: tuple[tuple[Any, str], ...] = (
    (torch.cuda, "synchronize"),
    (torch.cuda.Stream, "synchronize"),
    (torch.cuda.Event, "synchronize"),
)
"""What waits by its name; torch does not report these."""


@dataclass
class Waited:
    """How often a place made the host wait, and for how many seconds in all, each from the call to its return."""

    count: int = 0
    seconds: float = 0.0


@dataclass
class Waits:
    """The waits of some steps by place (``file.py:line``).

    A place is the innermost line that is neither torch's nor another library's.
    """

    places: dict[str, Waited] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Of all places."""
        return sum(waited.seconds for waited in self.places.values())

    def dearest(self) -> list[tuple[str, Waited]]:
        """The places, those that took longest first."""
        return sorted(self.places.items(), key=lambda item: -item[1].seconds)


@contextmanager
def found_syncs(device: torch.device) -> Iterator[Waits]:
    """Find the waits of the steps in the block; none on the CPU. For copies alone: each operation takes longer.

    torch reports its own waits (``.item()``, ``nonzero``, a copy to the host) once they are over; so every operation is
    timed, and those count of which it has done so.
    """
    found = Waits()
    if device.type != "cuda":
        yield found
        return
    listener = _Listener(found)
    mode = torch.cuda.get_sync_debug_mode()
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: listener.told() if "synchroniz" in str(message) else None
        for owner, name in EXPLICIT:
            timed = listener.timed(getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, timed))
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with listener:
                yield found
        finally:
            torch.cuda.set_sync_debug_mode(mode)


class _Listener(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Times each operation; autograd's threads take it along."""

    def __init__(self, found: Waits) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found = found
        self._thread = threading.get_ident()
        self._local = threading.local()
        self._lock = threading.Lock()
        self._longest = 0.0  # of the operations of autograd's threads, since the training's own last one

    def told(self) -> None:
        """torch has said of the present thread's operation that it waited.

        Newer ones say so before the operation returns; torch 2.11 when what called for it does, ``.item()`` or a whole
        backward pass, of which nothing but the longest operation can be meant then.
        """
        local = self._local
        if getattr(local, "within", False):
            local.waited = True
        elif self._longest > 0 and threading.get_ident() == self._thread:
            seconds, self._longest = self._longest, 0.0
            self._count(sys._getframe().f_back, seconds)
        elif (seconds := getattr(local, "last", 0.0)) > 0:
            local.last = 0.0
            self._count(sys._getframe().f_back, seconds)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        local = self._local
        local.waited, local.within = False, True
        began = time.perf_counter()
        try:
            out = func(*args, **(kwargs or {}))
        finally:
            local.within, local.last = False, time.perf_counter() - began
            away = threading.get_ident() != self._thread
            self._longest = max(self._longest, local.last) if away else 0.0
        if local.waited:
            self._count(sys._getframe().f_back, local.last)
            local.waited, local.last = False, 0.0
        return out

    def timed(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """A function that waits, heard."""

        def waits(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            out = wait(*arguments, **options)
            self._count(sys._getframe().f_back, time.perf_counter() - began)
            return out

        return waits

    def _count(self, frame: FrameType | None, seconds: float) -> None:
        place = place_of(frame, self._thread)
        if place is None:
            return
        with self._lock:
            waited = self._found.places.setdefault(place, Waited())
            waited.count += 1
            waited.seconds += seconds


def place_of(frame: FrameType | None, training: int) -> str | None:
    """The place of a wait, from the line that waits outwards to the loop of the steps; None where it is in no step.

    training: the thread that takes the steps. Autograd's threads are of none of Python's making.
    """
    place, last = "", ""
    while frame is not None:
        file = last = str(Path(frame.f_code.co_filename).resolve())
        if file == LOOP and place:
            return place
        if file != OWN and file.startswith(ON_PURPOSE):
            return None
        if not place and file != OWN and not is_library(file):
            place = f"{Path(file).name}:{frame.f_lineno}"
        if not place and frame.f_code in ENGINE:
            place = BACKWARD
        frame = frame.f_back
    if threading.get_ident() == training or Path(last).name == "threading.py":  # it builds something, or looks on
        return None
    return place or BACKWARD
