"""A torch.profiler trace of a few steps of a run: for Perfetto or chrome://tracing, and its operators in a table."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.events import Event, Noted
from workbench.profiling.operators import table_of, write_operators

if TYPE_CHECKING:
    from torch.profiler import profile

WARM_UP = 1
"""Steps in which the tracer is on but keeps nothing: its first one pays for its own start."""

_in_use = threading.Lock()


class Trace:
    """An instrument: traces ``steps`` steps after :data:`WARM_UP`.

    There is one tracer in a process, and two at once have crashed it: a second one is refused while the first works.
    It sees the operators of the thread that starts it, autograd's among them, and a GPU's kernels. Tracing and writing
    make these steps slower; their proportions hold, their durations do not.
    """

    def __init__(self, steps: int = 5) -> None:
        self._wanted = steps
        self._profile: profile | None = None
        self._steps = self._step = 0

    def start(self) -> None:
        """Begin with the next step."""
        import torch
        from torch.profiler import ProfilerActivity, profile, schedule

        from workbench import torch_compat

        if not _in_use.acquire(blocking=False):
            return
        if torch_compat.profiler_runs():  # a plugin's own
            _in_use.release()
            return
        # What its C++ says about its stages, and about GPUs that are not there, helps nobody who reads the run's log.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=0, warmup=WARM_UP, active=self._wanted + 1, repeat=1),
            acc_events=True,
        )
        self._steps = 0
        self._profile.start()

    def after_step(self, step: int) -> bool:
        """A step has ended; True when enough were traced."""
        if self._profile is None:
            return True
        self._steps, self._step = self._steps + 1, step
        self._profile.step()
        over = self._steps >= WARM_UP + self._wanted
        if over and self._profile.use_device == "cuda":
            import torch

            torch.cuda.synchronize()  # the training time stands still from here on
        return over

    def finish(self, folder: Path) -> Iterator[Event]:
        """Stop, and write ``trace.json.gz`` and ``operators.json`` into ``folder``."""
        if self._profile is None:
            yield Noted(message="no trace: another tracer is at work in this process")
            return
        begun = time.perf_counter()
        traced, self._profile = self._profile, None
        try:
            traced.stop()
            steps = self._steps - WARM_UP
            if steps < 1:
                yield Noted(message="no trace: the run ended before a step was traced")
                return
            folder.mkdir(exist_ok=True)
            traced.export_chrome_trace(str(folder / "trace.json.gz"))
            write_operators(folder / "operators.json", table_of(self._step, steps, _operators(traced)))
        finally:
            _in_use.release()
        seconds = time.perf_counter() - begun
        yield Noted(
            message=f"a trace of {steps} steps is in {folder.name}/trace.json.gz, for ui.perfetto.dev; "
            f"writing it took {seconds:.1f} s"
        )


def _operators(traced: profile) -> list[tuple[str, int, float, float]]:
    """Name, calls, and seconds of its own on the CPU and on the GPU, of every kind of operator."""
    return [
        (entry.key, entry.count, entry.self_cpu_time_total / 1e6, entry.self_device_time_total / 1e6)
        for entry in traced.key_averages()
        if not entry.key.startswith("ProfilerStep")
    ]
