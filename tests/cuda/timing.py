"""Time as a test plants it: what launches, kernels and copies take on a GPU that is not there.

Inside ``planted()`` no clock of this machine is read: ``time.perf_counter`` is the host's clock, CUDA's events have the
device's, and both go on only by what the test said that things take. The host runs ahead of the device and waits for it
where CUDA waits, so a training has the times that it would have on such a machine, however long it takes here.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import torch

from tests.cuda import runtime
from workbench.nvml import GpuUse
from workbench.profiling import ceilings, processor

TICK = 1e-6
"""Seconds that reading the clock takes, so that who waits for a time gets there."""


@dataclass
class Machine:
    """What things take, in seconds, and what the time is.

    launch: for the host, of whatever it launches, the Python around it included. kernel: for the device, of each.
    bandwidth: of copies between host and device, in bytes a second.
    """

    launch: float = 10e-6
    kernel: float = 2e-6
    bandwidth: float = 20e9
    host: float = 1000.0
    device: float = 1000.0
    _busy: float = 0.0
    _asked: tuple[float, float] = (1000.0, 0.0)
    _tape: list[Callable[[], None]] | None = field(default=None, repr=False)

    def now(self) -> float:
        """The host's time."""
        self.host += TICK
        return self.host

    def reached(self) -> float:
        """When the device has done all that was launched until now."""
        return max(self.host, self.device)

    def sleep(self, seconds: float) -> None:
        """The host does something else."""
        self.host += seconds

    def wait(self) -> None:
        """The host stands still until the device has done everything."""
        self.host = self.reached()

    def work(self, seconds: float) -> None:
        """The device works; in a graph, at each of its launches."""
        if self._tape is not None:
            self._tape.append(lambda: self._works(seconds))
        else:
            self._works(seconds)

    def use(self, uuid: str) -> GpuUse:
        """As the driver would say it, of the time since it was asked last."""
        self.wait()
        since, busy = self._asked
        self._asked = self.host, self._busy
        return GpuUse((self._busy - busy) / max(self.host - since, TICK), None, None)

    def hear(self, entry: ctypes._Pointer[runtime._Entry]) -> None:
        """Something met the device."""
        e = entry.contents
        name, kind = e.name.decode(), runtime.KINDS[e.kind]
        if kind == "wait":
            self.wait()
        elif kind in ("kernel", "library", "copy"):
            across = kind == "copy" and ("host" in name or "to device" in name)
            takes = e.bytes / self.bandwidth if across else self.kernel
            if not e.captured:
                self.host += self.launch
            self.work(takes)
            if name.endswith("pageable"):
                self.wait()
        elif kind == "graph":
            self.host += self.launch

    def _works(self, seconds: float) -> None:
        self.device = self.reached() + seconds
        self._busy += seconds


_present: list[Machine] = []


def busy(seconds: float) -> None:
    """Have the device work for so long, in its stream: a planted machine's, or a real one."""
    if _present:
        _present[-1].work(seconds)
    else:
        torch.cuda._sleep(int(seconds * _cycles_a_second()))


def _cycles_a_second() -> float:
    if not _measured:
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(10**6)
        began.record()
        torch.cuda._sleep(10**7)
        ended.record()
        ended.synchronize()
        _measured.append(10**7 / (began.elapsed_time(ended) / 1000))
    return _measured[0]


_measured: list[float] = []


@contextmanager
def planted(machine: Machine) -> Iterator[Machine]:
    """The machine's time is the time inside; what other programs do takes none of it."""
    graph = torch.cuda.CUDAGraph
    begin, end, replay, record = graph.capture_begin, graph.capture_end, graph.replay, torch.cuda.Event.record
    tapes: dict[int, list[Callable[[], None]]] = {}

    def capture_begin(self: torch.cuda.CUDAGraph, *arguments: object, **options: object) -> None:
        begin(self, *arguments, **options)
        machine._tape = tapes[id(self)] = []

    def capture_end(self: torch.cuda.CUDAGraph) -> None:
        machine._tape = None
        end(self)

    def replayed(self: torch.cuda.CUDAGraph) -> None:
        replay(self)
        for happens in tapes[id(self)]:
            happens()

    def recorded(self: torch.cuda.Event, stream: torch.cuda.Stream | None = None) -> None:
        record(self, stream)
        if machine._tape is not None:
            machine._tape.append(lambda: runtime.stamp(self.cuda_event))

    heard = runtime._LISTENER(machine.hear)
    with (
        mock.patch.multiple(graph, capture_begin=capture_begin, capture_end=capture_end, replay=replayed),
        mock.patch.object(torch.cuda.Event, "record", recorded),
        mock.patch.object(time, "perf_counter", machine.now),
        mock.patch.object(time, "sleep", machine.sleep),
        mock.patch.object(processor, "_queues", lambda pid: iter(())),
        mock.patch.object(ceilings, "gpu_of", lambda device: mock.Mock(uuid=device)),
        mock.patch.object(ceilings, "gpu_use", machine.use),
        runtime.clock(machine.reached),
    ):
        runtime._driver.standin_listen(heard)
        _present.append(machine)
        try:
            yield machine
        finally:
            _present.pop()
            runtime._driver.standin_listen(runtime._LISTENER())
            runtime._kept.append(heard)
