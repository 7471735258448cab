"""Rates on a machine that other programs use too."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.profiling.rate import RateMeasured, ThreadTime

SCHEDSTAT = Path("/proc/thread-self/schedstat")


@pytest.mark.skipif(not SCHEDSTAT.exists(), reason="only Linux says how long a thread waited for a processor")
def test_time_that_other_programs_took_is_told_from_sleep() -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # on the same core
    try:
        time.sleep(0.5)
        thread, began = ThreadTime(), time.perf_counter()
        while time.perf_counter() - began < 1.0:
            pass
        asleep, queued = thread.shares()
    finally:
        other.kill()
        other.wait()
        os.sched_setaffinity(0, cores)
    assert asleep < 0.1 and queued > 0.2
    thread = ThreadTime()
    time.sleep(0.5)
    asleep, queued = thread.shares()
    assert asleep > 0.5 > queued


def test_a_rate_without_what_others_took() -> None:
    window = RateMeasured(images=100, steps=10, seconds=2.0, asleep=0.0, queued=0.5)
    assert window.images_per_second == 50 and window.undisturbed == 100
