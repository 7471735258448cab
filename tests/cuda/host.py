"""The memory of CUDA tensors, which is host memory, seen from the host; and walks through what operations are given."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

SEQUENCES = (tuple, list)
PLAIN = frozenset((int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format))
"""Types of arguments that are no tensors and hold none."""
TENSORS = frozenset((Tensor, torch.nn.Parameter))
"""Types that are tensors: to ask for a type is several times as fast as ``isinstance``."""


def on_cuda(x: object) -> bool:
    """Whether it is a tensor in the memory of a device."""
    return isinstance(x, Tensor) and x.is_cuda


def mapped(x: Any, function: Callable[[Any], Any]) -> Any:
    """The function's results in the same lists, tuples and dicts: torch's own pytrees take several times as long."""
    kind = type(x)
    if kind in PLAIN or isinstance(x, Tensor):
        return function(x)
    if isinstance(x, SEQUENCES):
        return kind([mapped(part, function) for part in x])
    if isinstance(x, dict):
        return {name: mapped(part, function) for name, part in x.items()}
    return function(x)


def mapped_tensors(parts: Iterable[Any], function: Callable[[Tensor], Any]) -> list[Any]:
    """The parts with the function's results in place of their tensors, in the same lists, tuples and dicts."""
    found = []
    for x in parts:
        kind = type(x)
        if kind in PLAIN:
            found.append(x)
        elif kind in TENSORS or isinstance(x, Tensor):
            found.append(function(x))
        elif isinstance(x, SEQUENCES):
            found.append(kind(mapped_tensors(x, function)))
        elif isinstance(x, dict):
            found.append(dict(zip(x, mapped_tensors(x.values(), function), strict=True)))
        else:
            found.append(x)
    return found


def tensors(x: Any) -> list[Tensor]:
    """All tensors in lists, tuples and dicts."""
    found: list[Tensor] = []
    collect((x,), found)
    return found


def collect(parts: Iterable[Any], found: list[Tensor]) -> None:
    """Add all tensors in the parts, and in lists, tuples and dicts among them."""
    for x in parts:
        kind = type(x)
        if kind in PLAIN:
            continue
        if kind in TENSORS or isinstance(x, Tensor):
            found.append(x)
        elif isinstance(x, SEQUENCES):
            collect(x, found)
        elif isinstance(x, dict):
            collect(x.values(), found)


_wholes: dict[tuple[int, int, torch.dtype], Tensor] = {}


def host(t: Tensor) -> Tensor:
    """A CPU tensor over the memory of a CUDA tensor, with its shape, strides and type."""
    if torch.is_inference_mode_enabled():  # a captured step may be repeated outside it, where such tensors are fixed
        with torch.inference_mode(False):
            return host(t)
    storage = t.untyped_storage()
    start, size = storage.data_ptr(), storage.nbytes()
    if size == 0 or start == 0:
        return torch.empty(t.shape, dtype=t.dtype)
    whole = _wholes.get((start, size, t.dtype))
    if whole is None:
        if len(_wholes) > 20_000:  # blocks of the caching allocator come back with many sizes
            _wholes.clear()
        buffer = (ctypes.c_char * size).from_address(start)
        known = torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()
        whole = _wholes[start, size, t.dtype] = torch.empty(0, dtype=t.dtype).set_(known, 0, (0,), (1,))
    return whole.as_strided(t.shape, t.stride(), t.storage_offset())


def to_host(x: Any) -> Any:
    """What is on a device as :func:`host` shows it, anything else as it is."""
    return host(x) if on_cuda(x) else x


def to_host_while_capturing(x: Any) -> Any:
    """A number goes into the kernel's arguments; pinned memory is read at each replay."""
    if isinstance(x, Tensor) and not x.is_cuda and not x.is_pinned():
        return x.clone()
    return to_host(x)


def host_options(options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of an operation on a device, for the same on the CPU."""
    found = dict(options)
    if found.get("device") is not None:
        found["device"] = torch.device("cpu")
    if found.get("generator") is not None:
        found["generator"] = None
    found.pop("pin_memory", None)
    return found
