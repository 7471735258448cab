"""What the machine does while a run trains: a sample a second in ``machine.jsonl``, for every watcher."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from workbench.devices import gpu_of, gpu_use, named, neighbours
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import LineReader
from workbench.storage.json_text import dumps
from workbench.storage.regular import open_appending
from workbench.storage.values import Count, Finite, Timestamp
from workbench.visible import visible

CHILDREN_EVERY = 10
"""Samples after which worker processes are looked for again: finding them reads every process of the machine."""

OTHERS = 32
"""So many other processes on the GPU are told at most."""


@dataclass(frozen=True)
class Sample:
    """One moment. ``time`` is seconds since 1970, ``step`` that of the newest event.

    cpu: of the process and its workers, 1 for one busy core; None in the first sample. memory: their resident bytes,
    shared pages counted for each. gpu: busy share of the GPU that trains, 0–1; its memory in bytes, all processes
    together; gpu_power in watts, gpu_clock in MHz, gpu_temperature in °C. None without a GPU, or where the driver does
    not tell. gpu_slowed: what lowers its clocks, in words. gpu_others: other processes on that GPU, by name,
    :data:`OTHERS` at most.
    """

    time: Timestamp
    step: Count
    cpu: Finite | None = None
    memory: Count | None = None
    gpu: Finite | None = None
    gpu_memory: Count | None = None
    gpu_memory_total: Count | None = None
    gpu_power: Finite | None = None
    gpu_clock: Count | None = None
    gpu_temperature: int | None = None
    gpu_slowed: tuple[str, ...] = ()
    gpu_others: tuple[str, ...] = ()


_ADAPTER = TypeAdapter(Sample)


class Sampler:
    """Appends samples of this process. Nothing that goes wrong here may reach the run: it means no sample."""

    def __init__(self, run: RunDirectory) -> None:
        self._file = run.machine_file
        self._device: str | None = None
        self._uuid = ""
        self._processes: list[Any] = []
        self._seconds: dict[int, float] = {}
        self._at = 0.0
        self._count = 0

    def sample(self, device: str, step: int) -> None:
        """Take a sample and write it down; nothing before the device is known.

        device: the one that trains, as torch calls it. For a GPU the first call asks torch which one that is.
        """
        if not device:
            return
        with contextlib.suppress(Exception):
            if device != self._device:
                self._device = device  # asked for once, whatever comes of it
                gpu = gpu_of(device)
                self._uuid = gpu.uuid if gpu is not None else ""
            self._append(self._take(step))

    def _take(self, step: int) -> Sample:
        use = gpu_use(self._uuid) if self._uuid else None
        cpu, memory = self._own()
        return Sample(
            time=round(time.time(), 3),
            step=step,
            cpu=None if cpu is None else round(cpu, 3),
            memory=memory,
            gpu=use.busy if use else None,
            gpu_memory=use.used if use else None,
            gpu_memory_total=use.total if use else None,
            gpu_power=use.power if use else None,
            gpu_clock=use.clock if use else None,
            gpu_temperature=use.temperature if use else None,
            gpu_slowed=use.slowed if use else (),
            gpu_others=self._others() if self._uuid and step > 0 else (),  # before, this run may not be there yet
        )

    def _own(self) -> tuple[float | None, int | None]:
        """Busy cores since the last call and resident bytes, of this process and its workers."""
        import psutil

        if self._count % CHILDREN_EVERY == 0:
            known = {process.pid: process for process in self._processes}
            own = psutil.Process()
            self._processes = [known.get(p.pid, p) for p in (own, *own.children(recursive=True))]
        self._count += 1
        before, at = self._seconds, self._at
        self._seconds, self._at = {}, time.monotonic()
        memory, busy = 0, 0.0
        for process in self._processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._seconds[process.pid] = times.user + times.system
                busy += max(0.0, self._seconds[process.pid] - before.get(process.pid, self._seconds[process.pid]))
                memory += process.memory_info().rss
        return (busy / (self._at - at) if before and self._at > at else None), memory or None

    def _others(self) -> tuple[str, ...]:
        own = [process.pid for process in self._processes]
        return tuple(visible(named(process), keep="") for process in neighbours(self._uuid, own)[:OTHERS])

    def _append(self, sample: Sample) -> None:
        line = dumps(sample).encode() + b"\n"
        file = open_appending(self._file)
        try:
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # a full disk, or a machine that went down
            os.write(file, b"\n" + line if torn else line)
        finally:
            os.close(file)


class MachineReader:
    """Reads samples from where it last stopped."""

    def __init__(self, run: RunDirectory) -> None:
        self._lines = LineReader(run.machine_file)

    def read_new(self) -> list[Sample]:
        """The samples since the last call; none where there is no file."""
        return [sample for line in self._lines.read_new() if (sample := _read(line)) is not None]


def _read(line: bytes) -> Sample | None:
    """The sample of a line; None for anything else."""
    try:
        return _ADAPTER.validate_json(line, strict=True)
    except ValueError:
        return None
