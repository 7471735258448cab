"""Rates on a machine that other programs use too."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from workbench.profiling.rate import RateMeasured, ThreadTime


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads are bound to processors on Linux")
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
    assert asleep < 0.1 and 0.2 < queued < 0.9
    thread = ThreadTime()
    time.sleep(0.2)
    asleep, queued = thread.shares()
    assert asleep > 0.8 and queued < 0.1


def test_a_rate_without_what_others_took() -> None:
    window = RateMeasured(images=100, steps=10, seconds=2.0, asleep=0.0, queued=0.5)
    assert window.images_per_second == 50 and window.undisturbed == 100
