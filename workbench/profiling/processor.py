"""Who had the processor while something was measured: this thread, its workers, or other programs. Torch-free."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from workbench.profiling.report import Process


@dataclass(frozen=True)
class Shares:
    """Of a stretch of time, each 0–1: how long the thread slept; how long other programs kept it from a processor, and
    its workers on average."""

    idle_share: float
    runqueue_share: float
    crowded: float


class ThreadTime:
    """How long the calling thread slept, and how long other programs kept it and its workers from a processor.

    The kernel says how long a thread was queued (``schedstat``, on Linux); elsewhere waiting counts as sleep. The
    longest queue of a process's threads counts: where several compute, each waits for the last. What this process and
    its workers took from each other is no other program's doing: at most what others used of the machine is laid to
    them.
    """

    def __init__(self, workers: Sequence[int] = ()) -> None:
        self._everybody, self._own = _used_by_all(), _used_by_own()
        self._queues = {pid: dict(_queues(pid)) for pid in (os.getpid(), *workers)}
        self._worked, self._began = time.thread_time(), time.perf_counter()

    def undisturbed(self) -> float:
        """Seconds so far in which nobody kept the thread from a processor."""
        return time.perf_counter() - self._began - self._queued(os.getpid())

    def shares(self) -> Shares:
        """Of the time since this was made."""
        whole, worked = time.perf_counter() - self._began, time.thread_time() - self._worked
        runqueue_share, *workers = (self._queued(pid) for pid in self._queues)
        if whole <= 0:
            return Shares(0.0, 0.0, 0.0)
        others = max(0.0, (_used_by_all() - self._everybody) - (_used_by_own() - self._own))
        return Shares(
            idle_share=max(0.0, 1 - (worked + runqueue_share) / whole),
            runqueue_share=min(1.0, runqueue_share / whole, others / whole),
            crowded=min(1.0, fmean(workers) / whole, others / whole) if workers else 0.0,
        )

    def _queued(self, pid: int) -> float:
        before = self._queues[pid]
        return max((now - before.get(task, 0.0) for task, now in _queues(pid)), default=0.0)


def _queues(pid: int) -> Iterator[tuple[str, float]]:
    """Seconds that each thread of a process has waited for a processor so far."""
    tasks = Path(f"/proc/{pid}/task")
    with contextlib.suppress(OSError):
        for task in os.listdir(tasks):
            with contextlib.suppress(OSError, ValueError, IndexError):
                yield task, int((tasks / task / "schedstat").read_text().split()[1]) / 1e9


def _used_by_all() -> float:
    """CPU seconds that the machine has worked so far."""
    import psutil

    times = psutil.cpu_times()
    # a guest's time is contained in user's, and what the host took is nobody's here
    return sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq"))


def _used_by_own() -> float:
    """CPU seconds of this process and of those below it so far."""
    import psutil

    with contextlib.suppress(psutil.Error):
        me = psutil.Process()
        gone = me.cpu_times()
        below = sum(_cpu_seconds(child.pid) for child in me.children(recursive=True))
        return float(time.process_time() + gone.children_user + gone.children_system) + below
    return time.process_time()


class Processes:
    """CPU use of this process and its workers between two moments, in cores."""

    def __init__(self, workers: Sequence[int]) -> None:
        self._pids = {os.getpid(): "training"} | {pid: f"worker {i}" for i, pid in enumerate(workers)}
        self._before = {pid: _cpu_seconds(pid) for pid in self._pids}
        self._began = time.perf_counter()

    def seconds(self) -> float:
        """CPU seconds of all of them so far."""
        return sum(_cpu_seconds(pid) - before for pid, before in self._before.items())

    def cores(self) -> float:
        """How many cores all of them kept busy."""
        return self.seconds() / (time.perf_counter() - self._began)

    def found(self) -> list[Process]:
        """Each process, the workers' shared pages counted for each; those that are gone left out."""
        import psutil

        elapsed = time.perf_counter() - self._began
        found = []
        for pid, name in self._pids.items():
            with contextlib.suppress(psutil.Error):
                cores = (_cpu_seconds(pid) - self._before[pid]) / elapsed
                found.append(Process(name, pid, max(0.0, cores), int(psutil.Process(pid).memory_info().rss)))
        return found


def _cpu_seconds(pid: int) -> float:
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
