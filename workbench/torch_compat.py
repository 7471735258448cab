"""What rests on torch's inside, in one place; ``tests/test_torch_compat.py`` says what breaks where it changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode as TorchDispatchMode

NORM = nn.modules.batchnorm._NormBase
"""Layers with running statistics: batch norms and instance norms."""
BATCH_NORM = nn.modules.batchnorm._BatchNorm
"""Layers that normalise by the statistics of the batch."""

# Many tensors in one launch.
foreach_abs = torch._foreach_abs
foreach_add = torch._foreach_add
foreach_add_ = torch._foreach_add_
foreach_clamp_min_ = torch._foreach_clamp_min_
foreach_copy_ = torch._foreach_copy_
foreach_mul = torch._foreach_mul
foreach_mul_ = torch._foreach_mul_
foreach_norm = torch._foreach_norm
foreach_reciprocal_ = torch._foreach_reciprocal_
foreach_sub = torch._foreach_sub


def undecorated(method: Callable[..., Any]) -> Callable[..., Any]:
    """What a method of torch's optimizers does, without its decorators; they only matter to torch.compile.

    The first call of each decorator imports torch._dynamo: as long again as ``import torch`` itself takes.
    """
    bare: Callable[..., Any] = inspect.unwrap(method)
    return bare


def block_of(view: Tensor) -> Tensor:
    """The tensor whose memory a view shows; itself where it is none."""
    return view if view._base is None else view._base


def changes_in_place(tensor: Tensor) -> int:
    """How often a tensor's values were written over."""
    return tensor._version


def put_parameter(module: nn.Module, name: str, weight: nn.Parameter) -> None:
    """Have another tensor in a parameter's place, whatever the module does when it is assigned."""
    module._parameters[name] = weight


def put_buffer(module: nn.Module, name: str, values: Tensor) -> None:
    """The same for a buffer."""
    module._buffers[name] = values


def cpu_computes_in_bf16() -> bool:
    """Whether this CPU has AVX512-BF16 or AMX. torch has no public question for it in all versions that we run on."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def takes_found_inf(optimizer: torch.optim.Optimizer) -> bool:
    """Whether its step reads ``found_inf`` and ``grad_scale`` on the device, as fused ones do: it can be masked so."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def profiler_runs() -> bool:
    """Whether somebody profiles with torch's profiler at present; there can be one only."""
    return bool(torch._C._autograd._profiler_enabled())


def fp32_precision(backend: str, operation: str) -> str:
    """What the newer interface for TF32 says of ``("cuda", "matmul")`` and the like: "none" where it says nothing."""
    return str(torch._C._get_fp32_precision_getter(backend, operation))


def set_fp32_precision(backend: str, operation: str, precision: str) -> None:
    """Set it."""
    torch._C._set_fp32_precision_setter(backend, operation, precision)


def end_graphs_allocation(device: int, pool: tuple[int, int]) -> None:
    """What a recording's end does for its memory, where torch left it out. Raises RuntimeError where it did not."""
    torch._C._cuda_endAllocateToPool(device, pool)
    torch._C._cuda_releasePool(device, pool)


COMPILER_ERRORS = ("torch._dynamo.exc", "torch._inductor.exc")
"""Modules of the errors that torch.compile wraps what it met in."""


def compiler_options(mode: str) -> dict[str, Any]:
    """The options that a mode of torch.compile stands for."""
    return dict(torch._inductor.list_mode_options(mode))


@contextmanager
def while_compiling(begin: Callable[[], object], end: Callable[[], object]) -> Iterator[None]:
    """In the block, one is called before torch.compile compiles something, and the other after it."""
    from torch._dynamo.callback import callback_handler

    def begun(_: object) -> None:
        begin()

    def ended(_: object) -> None:
        end()

    callback_handler.register_start_callback(begun)
    callback_handler.register_end_callback(ended)
    try:
        yield
    finally:
        callback_handler.remove_start_callback(begun)
        callback_handler.remove_end_callback(ended)


@contextmanager
def backward_at_once() -> Iterator[None]:
    """What is compiled in the block, is so for both directions: nothing is left to fail in the middle of a step."""
    from torch._functorch import config

    before = config.force_non_lazy_backward_lowering
    config.force_non_lazy_backward_lowering = True
    try:
        yield
    finally:
        config.force_non_lazy_backward_lowering = before


def worker_processes(iterator: Any) -> list[Any]:
    """The processes behind a DataLoader's iterator; none where it has none."""
    return list(getattr(iterator, "_workers", ()))


def shut_workers_down(iterator: Any) -> None:
    """End them in the orderly way."""
    iterator._shutdown_workers()


@contextmanager
def waiting_at_most(iterator: Any, seconds: float) -> Iterator[None]:
    """In the block, ``next`` waits so long for the workers; then it raises a RuntimeError that says "timed out"."""
    iterator._timeout = seconds
    try:
        yield
    finally:
        iterator._timeout = 0
