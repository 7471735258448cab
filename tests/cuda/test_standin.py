"""The stand-in itself: its numbers, its log, its limits and faults, and CUDA's rules of capture."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from tests.cuda.host import host
from workbench.engine.recorder import Recorder

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]


def small_network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_training_gives_the_bits_of_the_cpu(memory_format: torch.memory_format) -> None:
    def trained(device: str) -> list[Tensor]:
        model = small_network().to(device, memory_format=memory_format)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
        rng = torch.Generator().manual_seed(7)
        losses = []
        for _ in range(4):
            images = torch.randn(16, 3, 8, 8, generator=rng).to(device, memory_format=memory_format)
            labels = torch.randint(10, (16,), generator=rng).to(device)
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return [x.cpu() for x in (*losses, *model.state_dict().values())]

    for here, there in zip(trained("cpu"), trained("cuda"), strict=True):
        assert torch.equal(here, there)


MASK = torch.tensor([True, False, True])
READINGS: dict[str, Callable[[Tensor], object]] = {
    "mask": lambda x: x[MASK.to(x.device)].tolist(),
    "nonzero": lambda x: x.nonzero().tolist(),
    "equal": lambda x: torch.equal(x, x.clone()) and not torch.equal(x, x + 1),
    "unique": lambda x: torch.unique(x).tolist(),
    "put": lambda x: x.clone().index_put_((MASK.to(x.device),), torch.tensor(7.0, device=x.device)).tolist(),
    "sum": lambda x: float(x.sum()),
    "printed": lambda x: str(x).removesuffix(", device='cuda:0')").removesuffix(")"),
}


@pytest.mark.parametrize("name", READINGS)
def test_what_is_read_from_the_device_is_right(name: str) -> None:
    x = torch.tensor([3.0, 0.0, 5.0])
    assert READINGS[name](x.cuda()) == READINGS[name](x)


def test_a_thread_computes_too() -> None:
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(float(torch.ones(5, device="cuda").sum())))
    thread.start()
    thread.join()
    assert found == [5]


def test_a_process_computes_too(standin: ModuleType) -> None:
    code = "import torch; print(float(torch.ones(5, device='cuda').sum()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "5.0\n", done.stderr


# ---- random numbers ----
def test_draws_are_those_of_the_devices_generator() -> None:
    torch.manual_seed(1)
    first, second = torch.rand(8, device="cuda"), torch.rand(8, device="cuda")
    state = torch.cuda.get_rng_state()
    third = torch.rand(8, device="cuda")
    torch.cuda.set_rng_state(state)
    assert torch.equal(third, torch.rand(8, device="cuda"))
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(first, torch.rand(8, device="cuda"))


def test_the_cpus_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    nn.functional.dropout(torch.ones(64, device="cuda"))
    assert torch.equal(before, torch.get_rng_state())


def test_a_graph_draws_anew_at_each_replay() -> None:
    found = torch.zeros(8, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found.copy_(torch.rand(8, device="cuda"))
    seen = []
    for _ in range(2):
        graph.replay()
        seen.append(found.tolist())
    assert seen[0] != seen[1]


def test_a_graph_draws_what_its_operations_draw_without_one() -> None:
    def drawn() -> Tensor:
        return torch.stack([torch.rand(8, device="cuda"), nn.functional.dropout(torch.ones(8, device="cuda"))])

    torch.cuda.manual_seed(3)
    expected = [drawn().tolist() for _ in range(3)]
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = drawn()
    torch.cuda.manual_seed(3)
    for values in expected:
        graph.replay()
        assert found.tolist() == values


# ---- capture ----
def test_a_captured_computation_happens_at_each_replay_only() -> None:
    total, given = torch.zeros(2, device="cuda"), torch.ones(2, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        total.add_(given * 2)
    assert total.tolist() == [0, 0]
    graph.replay()
    given.fill_(5)
    graph.replay()
    assert total.tolist() == [12, 12]


def test_a_captured_copy_of_pinned_memory_reads_it_at_each_replay() -> None:
    source, target = torch.ones(2).pin_memory(), torch.zeros(2, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        target.copy_(source, non_blocking=True)
    source.fill_(4)
    graph.replay()
    assert target.tolist() == [4, 4]


FORBIDDEN: dict[str, Callable[[Tensor], object]] = {
    "item": lambda x: x.sum().item(),
    "synchronize": lambda x: torch.cuda.synchronize(),
    "nonzero": lambda x: x.nonzero(),
    "query": lambda x: torch.cuda.current_stream().query(),
    "pageable copy": lambda x: x.copy_(torch.ones(4)),
}


def refused(function: Callable[[], object]) -> None:
    """Captured as the workbench does it: before 2.15 torch leaves its own stream in a thread after an error."""
    Recorder(torch.device("cuda", 0)).record_at_once(function)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_may_not_be_captured_is_refused_and_the_device_goes_on(name: str) -> None:
    x = torch.ones(4, device="cuda")
    with pytest.raises(RuntimeError, match="captur"):
        refused(lambda: FORBIDDEN[name](x))
    assert float((x + 1).sum()) == 8


def test_a_stream_that_does_not_join_its_capture_ends_it() -> None:
    side = torch.cuda.Stream()
    x = torch.ones(4, device="cuda")

    def forks() -> None:
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            x + 1

    with pytest.raises(RuntimeError, match="unjoined"):
        refused(forks)


# ---- the log ----
def test_launches_copies_and_waits_are_told_with_their_line(standin: ModuleType) -> None:
    x, image = torch.ones(4, 4, device="cuda"), torch.ones(4, 4)
    with standin.listened() as log:
        for log.step in range(3):  # in the first one torch allocates
            x @ x
            image.to("cuda")
            (x + 1).sum().item()
    assert [e.kind for e in log.of(step=1)] == ["library", "copy", "wait", "kernel", "kernel", "copy", "wait"]
    assert [(e.kind, e.name) for e in log.of(step=1)] == [(e.kind, e.name) for e in log.of(step=2)]
    assert log.launches(step=1) == 5
    waits = log.waits(step=1)
    assert [e.name for e in waits] == ["copy to device, pageable", "cudaStreamSynchronize"]
    lines = [e.line("cuda") for e in waits]
    assert [line.split(":")[0] for line in lines] == ["test_standin.py"] * 2
    assert int(lines[1].split(":")[1]) == int(lines[0].split(":")[1]) + 1


def test_a_graphs_launch_is_one(standin: ModuleType) -> None:
    x = torch.ones(4, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with standin.listened() as log:
        with torch.cuda.graph(graph):
            x.add_(1).mul_(2)
        captured = [e for e in log.of("kernel") if e.captured]
        log.step = 1
        graph.replay()
    assert len(captured) == 2
    assert [e.kind for e in log.of(step=1)].count("graph") == 1 and not log.of("kernel", step=1)


def test_a_pinned_copy_does_not_wait(standin: ModuleType) -> None:
    image = torch.ones(64).pin_memory()
    with standin.listened() as log:
        image.to("cuda", non_blocking=True)
    assert not log.waits() and [e.name for e in log.of("copy")] == ["copy to device"]


# ---- limits and faults ----
def test_memory_runs_out_where_it_was_set(standin: ModuleType) -> None:
    gc.collect()
    torch.cuda.empty_cache()
    others = standin.used() // 2**20 + 1  # what other tests have left behind
    with standin.memory(others + 64):
        assert torch.cuda.mem_get_info()[1] == (others + 64) * 2**20
        held = torch.empty(40 * 2**20, dtype=torch.uint8, device="cuda")
        assert standin.used() >= held.numel()
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(40 * 2**20, dtype=torch.uint8, device="cuda")
        del held
        torch.empty(40 * 2**20, dtype=torch.uint8, device="cuda")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("cudaErrorDevicesUnavailable", "busy or unavailable"),
        ("cudaErrorECCUncorrectable", "uncorrectable ECC error"),
        ("cudaErrorLaunchFailure", "unspecified launch failure"),
    ],
)
def test_a_device_vanishes_after_so_many_calls(standin: ModuleType, error: str, said: str) -> None:
    x = torch.ones(4, device="cuda")
    done = 0
    with standin.fails(error, after=5), pytest.raises(RuntimeError, match=said):
        while True:
            x.add_(1)
            done += 1
    assert done == 5
    assert x.tolist() == [6, 6, 6, 6]


def test_a_device_vanishes_when_a_file_comes(standin: ModuleType, tmp_path: Path) -> None:
    x, flag = torch.ones(4, device="cuda"), tmp_path / "gone"
    with standin.fails("cudaErrorDevicesUnavailable", file=str(flag)):
        x.add_(1)
        flag.touch()
        with pytest.raises(RuntimeError, match="busy or unavailable"):
            x.add_(1)


def test_an_error_that_is_not_known_is_refused(standin: ModuleType) -> None:
    with pytest.raises(ValueError, match="cudaErrorOfMine"), standin.fails("cudaErrorOfMine"):
        pass


# ---- other processes ----
def answer(code: str, **variables: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **variables})
    return done.stdout.strip() or done.stderr


def test_devices_are_as_many_as_asked_for_and_look_as_they_shall() -> None:
    code = "import torch; p = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]"
    code += "; print([q.name for q in p], p[0].major, p[0].minor, p[0].multi_processor_count, p[0].total_memory)"
    settings = {"STANDIN_CAPABILITY": "75", "STANDIN_SMS": "40", "STANDIN_MIB": "512"}
    found = answer(code, STANDIN_DEVICES="3", CUDA_VISIBLE_DEVICES="2,0,5,1", **settings)
    assert found == f"['Stand-in GPU 2', 'Stand-in GPU 0'] 7 5 40 {512 * 2**20}"


def test_a_process_can_lose_its_device_from_the_beginning() -> None:
    code = "import torch; torch.ones(3, device='cuda')"
    assert "uncorrectable ECC" in answer(code, STANDIN_FAIL="cudaErrorECCUncorrectable")


def test_host_sees_the_same_memory() -> None:
    x = torch.zeros(6, device="cuda").reshape(2, 3).T
    host(x)[2, 1] = 5
    assert x[2, 1].item() == 5
