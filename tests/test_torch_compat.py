"""Each private interface of torch that ``workbench.torch_compat`` rests on: what breaks where it changes."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import workbench
from workbench import torch_compat

PACKAGE = Path(workbench.__file__).parent
PRIVATE = re.compile(
    r"\btorch(\.\w+)*\._(?!_)\w+|from torch\S*\._|\._(foreach|base|version|buffers|parameters|workers|timeout)\b"
)


def test_nothing_else_rests_on_it() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name == "torch_compat.py" or "tui" in path.relative_to(PACKAGE).parts:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.partition("#")[0]
            found = PRIVATE.search(code.replace("self._", ""))
            assert not found or "``" in line or code.strip().startswith('"""') or _in_a_text(path, number), (
                f"{path}:{number}: {line.strip()}"
            )


def _in_a_text(path: Path, number: int) -> bool:
    texts = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return any(
        isinstance(text.value, str)
        and text.lineno <= number <= (text.end_lineno or 0)
        and text.end_lineno != text.lineno
        for text in texts
    )


def test_norms_are_told_by_their_type() -> None:
    """Weight decay, checks of statistics, SWA, gradient accumulation's warning."""
    batch = (nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.SyncBatchNorm(2))
    assert all(isinstance(norm, torch_compat.BATCH_NORM) and isinstance(norm, torch_compat.NORM) for norm in batch)
    assert isinstance(nn.InstanceNorm2d(2), torch_compat.NORM)
    assert not isinstance(nn.InstanceNorm2d(2), torch_compat.BATCH_NORM)
    assert not isinstance(nn.GroupNorm(1, 2), torch_compat.NORM)


def test_many_tensors_at_once() -> None:
    """Guard, averages, Muon, SAM, gradient norms: one launch for all tensors."""
    a, b = [torch.tensor([3.0, -4.0]), torch.tensor([2.0])], [torch.tensor([1.0, 1.0]), torch.tensor([4.0])]

    def values(found: object) -> list[list[float]]:
        return [x.tolist() if x.dim() else [float(x)] for x in found]  # type: ignore[attr-defined]

    assert values(torch_compat.foreach_abs(a)) == [[3, 4], [2]]
    assert values(torch_compat.foreach_add(a, b)) == values(torch_compat.foreach_add(b, a)) == [[4, -3], [6]]
    assert values(torch_compat.foreach_sub(a, b)) == [[2, -5], [-2]]
    assert values(torch_compat.foreach_mul(a, 2.0)) == [[6, -8], [4]]
    assert values(torch_compat.foreach_norm(a, 2.0, dtype=torch.float32)) == [[5], [2]]
    torch_compat.foreach_copy_(a, b)
    torch_compat.foreach_add_(a, b)
    torch_compat.foreach_mul_(a, [2.0, 1.0])
    assert values(a) == [[4, 4], [8]]
    torch_compat.foreach_clamp_min_(a, 5.0)
    torch_compat.foreach_reciprocal_(a)
    assert values(a) == [[pytest.approx(0.2)] * 2, [0.125]]


def test_a_view_knows_its_block_and_a_tensor_its_changes() -> None:
    """Norms' statistics are saved as a few blocks; a recorded step sees that a tensor on the host has changed."""
    block = torch.zeros(4)
    assert torch_compat.block_of(block[1:3]) is block and torch_compat.block_of(block) is block
    before = torch_compat.changes_in_place(block)
    block.add_(1)
    assert torch_compat.changes_in_place(block) == before + 1


def test_tensors_are_put_into_modules() -> None:
    """All running statistics in one block; networks on the meta device get weights to be counted with."""
    norm = nn.BatchNorm2d(2)
    torch_compat.put_buffer(norm, "running_mean", torch.full((2,), 7.0))
    torch_compat.put_parameter(norm, "weight", weight := nn.Parameter(torch.full((2,), 5.0)))
    assert norm.state_dict()["running_mean"].tolist() == [7, 7]
    assert norm.weight is weight and dict(norm.named_parameters())["weight"] is weight


def test_the_cpu_says_whether_it_computes_in_bf16() -> None:
    """bf16 without it takes many times as long, so recipes leave it out there."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else None
    if flags is None:
        pytest.skip("no /proc/cpuinfo to compare with")
    assert torch_compat.cpu_computes_in_bf16() == ("avx512_bf16" in flags or "amx_tile" in flags)


def test_fused_optimizers_take_the_flag() -> None:
    """An update is masked on the device where the optimizer takes the flag, by copies else."""
    weights = [nn.Parameter(torch.ones(2))]
    fused, plain = (torch.optim.SGD(weights, lr=1.0, fused=fused) for fused in (True, False))
    assert torch_compat.takes_found_inf(fused) and not torch_compat.takes_found_inf(plain)
    weights[0].grad = torch.ones(2)
    fused.grad_scale, fused.found_inf = None, torch.ones(())  # type: ignore[attr-defined]
    fused.step()
    assert weights[0].tolist() == [1, 1]


def test_a_profiler_at_work_is_seen() -> None:
    assert not torch_compat.profiler_runs()
    with torch.profiler.profile():
        assert torch_compat.profiler_runs()


def test_the_precision_of_fp32_is_read_and_set() -> None:
    """TF32 on a GPU, set so that torch's older interface goes on to answer."""
    before = torch_compat.fp32_precision("cuda", "matmul")
    try:
        torch_compat.set_fp32_precision("cuda", "matmul", "tf32")
        assert torch_compat.fp32_precision("cuda", "matmul") == "tf32"
    finally:
        torch_compat.set_fp32_precision("cuda", "matmul", before)


@pytest.mark.slow
def test_the_compiler_tells_when_it_compiles() -> None:
    """Compiling is no training time, and both directions are compiled before the first step has changed anything."""
    said: list[str] = []
    assert torch_compat.compiler_options("max-autotune-no-cudagraphs")["max_autotune"]
    compiled = torch.compile(nn.Linear(2, 2), backend="aot_eager")
    with (
        torch_compat.while_compiling(lambda: said.append("begun"), lambda: said.append("ended")),
        torch_compat.backward_at_once(),
    ):
        found = compiled(torch.ones(1, 2)).sum()
    assert said[:1] == ["begun"] and said[-1:] == ["ended"]
    found.backward()

    def refuse(graph: object, inputs: object) -> object:
        raise RuntimeError("no")

    with pytest.raises(Exception, match="no") as caught:
        torch.compile(nn.Linear(2, 2), backend=refuse)(torch.ones(1, 2))
    assert type(caught.value).__module__ in torch_compat.COMPILER_ERRORS


def test_every_operation_passes_a_dispatch_mode() -> None:
    """Costs are counted and waits found by it."""
    seen: list[str] = []

    class Mode(torch_compat.TorchDispatchMode):  # type: ignore[no-untyped-call, misc]
        def __torch_dispatch__(
            self, func: object, types: object, args: tuple = (), kwargs: dict | None = None
        ) -> Tensor:  # type: ignore[type-arg]
            seen.append(str(func))
            return func(*args, **(kwargs or {}))  # type: ignore[operator, no-any-return]

    with Mode():
        torch.ones(2) + 1
    assert any("add" in name for name in seen)


class Dawdling:
    """Its last item takes long."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        time.sleep(3 * index)
        return index


def test_loader_workers_are_seen_waited_for_and_ended() -> None:
    """A dead worker is noticed at once, a slow batch is said in time, and none is left behind."""
    iterator = iter(DataLoader(Dawdling(), batch_size=1, num_workers=1))  # type: ignore[arg-type]
    (worker,) = torch_compat.worker_processes(iterator)
    assert worker.is_alive() and torch_compat.worker_processes(iter([])) == []
    next(iterator)
    with pytest.raises(RuntimeError, match="timed out"), torch_compat.waiting_at_most(iterator, 0.1):
        next(iterator)
    torch_compat.shut_workers_down(iterator)
    assert not worker.is_alive()


@pytest.mark.parametrize("name", ["step", "zero_grad", "state_dict", "load_state_dict", "add_param_group"])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_methods_of_optimizers_are_found_under_their_decorators(
    optimizer: type[torch.optim.Optimizer], name: str
) -> None:
    """Where it fails: an import of torch._dynamo comes back into the first step, ``tests/engine/test_start_up.py``."""
    bare = torch_compat.undecorated(getattr(optimizer, name))
    assert bare.__name__ == name and not hasattr(bare, "__wrapped__")
    assert Path(bare.__code__.co_filename).parent.name == "optim"
