"""Rates on a machine that other programs use too."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from workbench.profiling import processor
from workbench.profiling.processor import Shares, ThreadTime
from workbench.profiling.throughput import PATIENCE, ThroughputMeasured, Window

needs_queues = pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="only Linux says how long a thread waited for a processor"
)
BUSY = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"


@pytest.fixture
def one_core() -> Iterator[int]:
    """This process on one core, which a busy program that is none of its children uses too; that one's process id."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    other = int(subprocess.run(["sh", "-c", BUSY], check=True, capture_output=True, text=True).stdout)
    time.sleep(0.5)
    yield other
    os.kill(other, 9)
    os.sched_setaffinity(0, cores)


def work(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@needs_queues
def test_time_that_other_programs_took_is_told_from_sleep(one_core: int) -> None:
    thread = ThreadTime()
    work(1.0)
    shares = thread.shares()
    assert shares.idle_share < 0.1 and shares.runqueue_share > 0.2
    assert thread.undisturbed() < 0.9
    thread = ThreadTime()
    time.sleep(0.5)
    shares = thread.shares()
    assert shares.idle_share > 0.5 > shares.runqueue_share


@needs_queues
def test_what_its_own_processes_took_is_laid_to_nobody_else(one_core: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_used_by_all", processor._used_by_own)
    thread = ThreadTime(workers=[one_core])
    work(0.5)
    shares = thread.shares()
    assert shares.idle_share < 0.1 and max(shares.runqueue_share, shares.crowded) < 0.01


@needs_queues
def test_workers_that_others_keep_from_a_processor_are_crowded(one_core: int) -> None:
    thread = ThreadTime(workers=[one_core])
    work(1.0)
    assert thread.shares().crowded > 0.2
    assert ThreadTime().shares().crowded == 0


@needs_queues
def test_processors_used_by_a_program_that_is_no_child_are_others(one_core: int) -> None:
    before = processor._used_by_all() - processor._used_by_own()
    work(0.5)
    assert processor._used_by_all() - processor._used_by_own() - before > 0.1


def test_a_rate_without_what_others_took() -> None:
    window = ThroughputMeasured(images=100, steps=10, seconds=2.0, idle_share=0.0, runqueue_share=0.5)
    assert window.images_per_second == 50 and window.undisturbed == 100
    assert window.disturbed == 0.5
    crowded = ThroughputMeasured(images=100, steps=10, seconds=2.0, idle_share=0.0, crowded=0.5)
    assert crowded.undisturbed == 50 and crowded.disturbed == 0.5


@pytest.mark.parametrize(("kept", "lasts"), [(0.0, 1.0), (0.5, 2.0), (0.9, PATIENCE)])
def test_a_window_lasts_longer_by_what_others_took(monkeypatch: pytest.MonkeyPatch, kept: float, lasts: float) -> None:
    """By a clock of the test's own; a step takes a hundredth of a second of it."""
    from workbench.profiling import throughput

    now = [100.0]

    class Disturbed:
        def __init__(self, workers: object) -> None:
            self.began = now[0]

        def undisturbed(self) -> float:
            return (1 - kept) * (now[0] - self.began)

        def shares(self) -> Shares:
            return Shares(0.0, kept, 0.0)

    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(throughput, "ThreadTime", Disturbed)
    window, over = Window(torch.device("cpu"), 1.0, 0), False
    window.start()
    while not over:
        now[0] += 0.01
        over = window.count(8)
    found = window.result()
    assert found.seconds == pytest.approx(lasts + 0.03, abs=0.07)  # three steps of warm-up do not count
    assert found.images == 8 * found.steps and found.runqueue_share == kept
