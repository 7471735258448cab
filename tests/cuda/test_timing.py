"""The planted machine: who waits for whom, and what CUDA's events say of it."""

from __future__ import annotations

import time

import pytest
import torch

from tests.cuda.timing import Machine, busy, planted

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

TICKS = 1e-4
"""Reading the clock takes a little, too."""


def events(count: int, *, external: bool = False) -> list[torch.cuda.Event]:
    return [torch.cuda.Event(enable_timing=True, external=external) for _ in range(count)]


def test_the_host_runs_ahead_and_waits_where_cuda_waits() -> None:
    x = torch.ones(4, device="cuda")
    with planted(Machine(launch=0.01, kernel=0.5)):
        began = time.perf_counter()
        for _ in range(3):
            x.add_(1)
        launched = time.perf_counter() - began
        x[0].item()
        waited = time.perf_counter() - began
        time.sleep(60)
        slept = time.perf_counter() - began
    assert launched == pytest.approx(0.03, abs=TICKS)
    assert waited == pytest.approx(0.01 + 3 * 0.5, abs=TICKS)  # the copy of four bytes is launched in that time
    assert slept == pytest.approx(waited + 60, abs=TICKS)


def test_events_have_the_devices_time() -> None:
    x = torch.ones(4, device="cuda")
    with planted(Machine(launch=0.01, kernel=0.5)) as machine:
        first, second, third = events(3)
        first.record()
        busy(2)
        second.record()
        x.add_(1)
        third.record()
        assert first.elapsed_time(second) == pytest.approx(2000, abs=1)
        assert second.elapsed_time(third) == pytest.approx(500, abs=1)
        assert machine.use("GPU").busy == pytest.approx(1, abs=0.01)
        time.sleep(7.5)
        x.add_(1)
        assert machine.use("GPU").busy == pytest.approx(0.5 / 8.01, abs=0.001)


def test_what_is_in_a_graph_takes_its_time_at_each_launch() -> None:
    x = torch.ones(4, device="cuda")
    first, second, third = events(3, external=True)
    with planted(Machine(launch=0.01, kernel=0.5)):
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            first.record()
            busy(2)
            second.record()
            x.add_(1).mul_(2)
            third.record()
        for _ in range(2):
            torch.cuda.synchronize()
            began = time.perf_counter()
            graph.replay()
            launched = time.perf_counter() - began
            torch.cuda.synchronize()
            done = time.perf_counter() - began
            assert launched == pytest.approx(0.01, abs=TICKS) and done == pytest.approx(3.01, abs=TICKS)
            assert first.elapsed_time(second) == pytest.approx(2000, abs=1)
            assert second.elapsed_time(third) == pytest.approx(1000, abs=1)
    assert x.tolist() == [10, 10, 10, 10]


def test_copies_take_their_bytes() -> None:
    source = torch.ones(1000, dtype=torch.uint8)
    with planted(Machine(bandwidth=500)):
        began = time.perf_counter()
        source.pin_memory().to("cuda", non_blocking=True)
        assert time.perf_counter() - began < 0.001
        torch.cuda.synchronize()
        assert time.perf_counter() - began == pytest.approx(2, abs=0.001)


def test_without_a_planted_machine_an_external_event_has_the_time_of_its_place_in_the_graph() -> None:
    x = torch.ones(700, 700, device="cuda")
    first, second, third = events(3, external=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        first.record()
        for _ in range(3):
            x @ x
        second.record()
        x[0].add(1)
        third.record()
    graph.replay()
    assert first.elapsed_time(second) > 3 * second.elapsed_time(third) > 0
