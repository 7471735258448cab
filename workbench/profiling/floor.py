"""The shortest time in which a machine could do a step: its arithmetic, and its memory traffic, at measured speeds."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from workbench.engine.build import Build
from workbench.engine.cost import multiply_adds
from workbench.profiling.throughput import synchronize

REPEATS = 7


@dataclass(frozen=True)
class Floor:
    """operations: additions and multiplications of a step; bytes: what it must read and write.

    matrix_rate: operations a second of a large matrix product in the recipe's precision; copy_rate: bytes a second,
    read and written, of a large copy.
    """

    operations: float
    bytes: float
    matrix_rate: float
    copy_rate: float

    @property
    def seconds(self) -> float:
        """Of a step in which arithmetic and memory traffic overlap perfectly."""
        return max(self.operations / self.matrix_rate, self.bytes / self.copy_rate)


def measure_floor(build: Build) -> Floor | None:
    """The floor of a build's step. None where the network's operations cannot be counted.

    Operations: forward, and in the backward pass as many again for the images and for the weights. Bytes: the outputs
    of convolutions and linear layers, written and read in the forward pass, read again in the backward pass, their
    gradients written and read (norms and activations taken as fused with them); and for each weight six transfers
    (read twice, gradient written and read, update read and written) and two for each optimizer state. What techniques
    add, such as augmentation or a second pass, comes on top.
    """
    count = multiply_adds(build.model, build.dataset.shape)
    if count is None:
        return None
    size, dtype = build.recipe.data.batch_size, _format(build)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in build.parameters)
    states = sum(
        value.numel() * value.element_size()
        for state in build.optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
    outputs = _outputs(build.model, build.dataset.shape) * size * dtype.itemsize
    return Floor(
        operations=3 * 2 * count * size,
        bytes=5 * outputs + 6 * weights + 2 * states,
        matrix_rate=_matrix_rate(build.device, dtype),
        copy_rate=_copy_rate(build.device),
    )


def _format(build: Build) -> torch.dtype:
    """The number format of the network's products."""
    with build.precision.autocast():
        one = build.precision.images(torch.ones(1, 1, device=build.device))
        return (one @ one).dtype


def _outputs(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """How many numbers convolutions and linear layers give for one image."""
    meta = copy.deepcopy(model).float().to("meta").eval()
    total = 0

    def count(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel()

    for module in meta.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, torch.Tensor) and weight.ndim > 1:
            module.register_forward_hook(count)
    with torch.no_grad():
        meta(torch.empty(1, *shape, device="meta"))
    return total


def _matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    side = 4096 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * side**3 / _seconds(lambda: torch.mm(a, b, out=out), device)


def _copy_rate(device: torch.device) -> float:
    count = 2**28 if device.type == "cuda" else 2**25
    source = torch.ones(count, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _seconds(lambda: target.copy_(source), device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Median seconds of some work. On a GPU by its own clock: starting it and waiting for it take it no time."""
    found = []
    for _ in range(REPEATS + 2):
        synchronize(device)
        if device.type == "cuda":
            found.append(_device_seconds(work, device))
        else:
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
    return median(found[2:])


def _device_seconds(work: Callable[[], object], device: torch.device) -> float:
    stream = torch.cuda.current_stream(device)
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    began.record(stream)
    work()
    ended.record(stream)
    ended.synchronize()
    return float(began.elapsed_time(ended)) / 1000
