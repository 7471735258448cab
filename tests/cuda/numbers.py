"""CUDA tensors that hold the right numbers though no kernel runs.

``computing()`` is a dispatch mode for all threads: torch's own CUDA side runs as it is, then each operation is computed
by torch's CPU kernels on the same memory. While a stream captures nothing is computed, as on a GPU; each replay
computes what was captured. Convolutions, which cuDNN would plan and build at run time, are replaced as a whole.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from unittest import mock

import torch
import torch._tensor_str
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, _get_current_dispatch_mode_stack

from tests.cuda import convolutions, runtime
from tests.cuda.convolutions import low_precision

aten = torch.ops.aten
Computation = Callable[[], Any]

draws_of: Literal["cuda", "cpu"] = "cuda"
"""Whose generator random operations draw from: the device's, whose state then means what it means on a GPU; or the
CPU's own, so that a run draws what the same run on the CPU draws."""

AS_THEY_ARE = {
    *("aten::set_", "aten::record_stream", "aten::resize_", "aten::is_pinned", "aten::_pin_memory"),
    *("aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty", "aten::new_empty_strided"),
}
"""They compute nothing."""

SEQUENCES = (tuple, list)
PLAIN = frozenset((int, float, bool, str, type(None), torch.dtype, torch.device))
"""Types of arguments that are no tensors and hold none."""

SIZED_BY_VALUES = {
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.unique_consecutive.default,
    aten.bincount.default,
    aten.repeat_interleave.Tensor,
}
"""The size of what they return is read from the device, so a GPU is waited for."""

MASKED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""So it is where these have a mask among their indices."""


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


def tensors(x: Any) -> list[Tensor]:
    """All tensors in lists, tuples and dicts."""
    found: list[Tensor] = []
    _collect(x, found)
    return found


def _collect(x: Any, found: list[Tensor]) -> None:
    if isinstance(x, Tensor):
        found.append(x)
    elif type(x) in PLAIN:
        return
    elif isinstance(x, SEQUENCES):
        for part in x:
            _collect(part, found)
    elif isinstance(x, dict):
        for part in x.values():
            _collect(part, found)


# ---- the same memory, seen from the host ----
_storages: dict[tuple[int, int], torch.UntypedStorage] = {}


def host(t: Tensor) -> Tensor:
    """A CPU tensor over the memory of a CUDA tensor, with its shape, strides and type."""
    if torch.is_inference_mode_enabled():  # a captured step may be repeated outside it, where such tensors are fixed
        with torch.inference_mode(False):
            return host(t)
    storage = t.untyped_storage()
    start, size = storage.data_ptr(), storage.nbytes()
    if size == 0 or start == 0:
        return torch.empty(t.shape, dtype=t.dtype)
    known = _storages.get((start, size))
    if known is None:
        if len(_storages) > 20_000:  # blocks of the caching allocator come back with many sizes
            _storages.clear()
        buffer = (ctypes.c_char * size).from_address(start)
        known = _storages[start, size] = torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()
    return torch.empty(0, dtype=t.dtype).set_(known, t.storage_offset(), t.shape, t.stride())


def _to_host(x: Any) -> Any:
    return host(x) if on_cuda(x) else x


def _to_host_while_capturing(x: Any) -> Any:
    """A number goes into the kernel's arguments; pinned memory is read at each replay."""
    if isinstance(x, Tensor) and not on_cuda(x) and not x.is_pinned():
        return x.clone()
    return _to_host(x)


def _host_options(options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of an operation on a device, for the same on the CPU."""
    found = dict(options)
    if found.get("device") is not None:
        found["device"] = torch.device("cpu")
    if found.get("generator") is not None:
        found["generator"] = None
    found.pop("pin_memory", None)
    return found


# ---- operations ----
def _cudnn_batch_norm(x, weight, bias, mean, var, training, momentum, eps):
    return *aten.native_batch_norm(x, weight, bias, mean, var, training, momentum, eps), torch.empty(
        0, dtype=torch.uint8
    )


def _cudnn_batch_norm_backward(x, grad, weight, mean, var, save_mean, save_var, eps, reserve):
    return aten.native_batch_norm_backward(
        grad, x, weight, mean, var, save_mean, save_var, True, eps, [True, True, True]
    )


def _product(a, b, out=None):
    """Products in fp16: without instructions for them a CPU takes a minute for what takes it a second in fp32."""
    if a.dtype != torch.float16:
        return aten.mm.default(a, b) if out is None else aten.mm.out(a, b, out=out)
    found = aten.mm.default(a.float(), b.float())
    return found.half() if out is None else out.copy_(found)


ON_THE_CPU: dict[Any, Callable[..., Any]] = {
    aten.mm.default: _product,
    aten.mm.out: _product,
    aten.cudnn_batch_norm.default: _cudnn_batch_norm,
    aten.cudnn_batch_norm_backward.default: _cudnn_batch_norm_backward,
    **convolutions.ON_THE_CPU,
}
"""Operations that the CPU has under another name, or not in 16 bits."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be known of one of torch's operations: to ask torch each time costs as much as to compute it."""

    func: Any
    computes: Callable[..., Any]
    convolution: bool
    nothing: bool
    sized_by_values: bool
    takes_masks: bool
    in_place: bool
    draws: bool


@cache
def _operation(func: Any) -> Operation:
    return Operation(
        func,
        ON_THE_CPU.get(func, func),
        func in convolutions.ON_THE_CPU,
        func._schema.name in AS_THEY_ARE,
        func in SIZED_BY_VALUES,
        func in MASKED,
        func._schema.is_mutable,
        torch.Tag.nondeterministic_seeded in func.tags,
    )


def _computed(operation: Operation, args: Any, options: dict[str, Any]) -> Any:
    try:
        return operation.computes(*args, **options)
    except (NotImplementedError, RuntimeError) as error:
        # a batch norm of 16-bit images with statistics in 32 bits is one of those that only a device has
        missing = re.search("not implemented for '(Half|BFloat16)'|expected scalar type (Half|BFloat16)", str(error))
        if not missing or operation.in_place:
            raise
    return operation.computes(*mapped(args, low_precision), **mapped(options, low_precision))


def _drawing(
    mode: Numbers, operation: Operation, options: dict[str, Any], device: torch.device
) -> Callable[[Computation], Any] | None:
    """How to compute an operation that may draw: with numbers that the device's generator and its offset determine.

    None: as any other.
    """
    if not operation.draws or draws_of == "cpu":
        return None
    index = torch.cuda.current_device() if device.index is None else device.index
    generator = options.get("generator") or torch.cuda.default_generators[index]
    if not torch.cuda.is_current_stream_capturing():
        offset = generator.get_offset()
        return lambda compute: _drawn_from(generator, offset, compute)
    if mode.rng is None:
        return None
    of_graph = mode.rng.setdefault(id(generator), GraphDraws(generator))
    nth, of_graph.count = of_graph.count, of_graph.count + 1
    return lambda compute: _drawn_from(generator, of_graph.start + nth * of_graph.each, compute)


@dataclass
class GraphDraws:
    """What a graph draws from one generator: at a replay from ``start`` on, ``each`` further than the last.

    While a graph is captured torch tells nobody how far a draw moves the generator on, at a replay only by how much all
    of them do. So all are taken to be alike, which up to a million numbers they are; then a graph draws what the same
    operations draw without one.
    """

    generator: torch.Generator
    count: int = 0
    start: int = 0
    each: int = 0


def _drawn_from(generator: torch.Generator, offset: int, compute: Computation) -> Any:
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(hash((generator.initial_seed(), offset)) & (2**63 - 1))
    try:
        return compute()
    finally:
        torch.default_generator.set_state(state)


class Numbers(TorchDispatchMode):
    """Computes what is asked of a device, at once or at each replay; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.tape: list[Computation] | None = None
        self.rng: dict[int, GraphDraws] | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled while it is on, and asking at each operation costs as much as the rest

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        options = kwargs or {}
        on_device = [t for t in tensors(args) if t.is_cuda]
        if options:
            on_device += [t for t in tensors(options) if t.is_cuda]
        if not on_device:
            asked = options.get("device")
            if asked is None or torch.device(asked).type != "cuda":
                return func(*args, **options)
        operation = _operation(func)
        if operation.nothing:
            return func(*args, **options)
        if operation.sized_by_values or (operation.takes_masks and _has_mask(args[1])):
            return self._sized_by_values(operation, args, options, on_device)
        return self._same_size(operation, args, options, on_device)

    def _sized_by_values(self, operation, args, options, on_device):
        on_device[0].flatten()[:1].cpu()  # here a GPU is waited for; an error while it captures
        found = _computed(operation, mapped(args, _to_host), _host_options(mapped(options, _to_host)))
        if operation.in_place:
            return args[0]
        return mapped(found, lambda x: x.to(on_device[0].device) if isinstance(x, Tensor) else x)

    def _same_size(self, operation, args, options, on_device):
        func = operation.func
        capturing = torch._C._cuda_isCurrentStreamCapturing()
        drawing = None
        if operation.draws:  # before it runs, since it moves the generator on
            device = on_device[0].device if on_device else torch.device(options["device"])
            drawing = _drawing(self, operation, options, device)
        out = convolutions.launched(func, args) if operation.convolution else func(*args, **options)
        results = _in_order(out)
        known = {t.untyped_storage().data_ptr() for t in on_device}
        fresh = [t is not None and t.untyped_storage().data_ptr() not in known for t in results]
        if results and not operation.in_place and True not in fresh:
            return out  # a view
        seen = _to_host_while_capturing if capturing else _to_host
        host_args = mapped(args, seen)
        host_options = _host_options(mapped(options, seen)) if options else options
        # not the results themselves: a tape that keeps them keeps what autograd remembers of them, too
        targets = [_to_host(t) if new else None for t, new in zip(results, fresh, strict=True)]

        def compute() -> Any:
            if drawing is None:
                found = _computed(operation, host_args, host_options)
            else:
                found = drawing(lambda: _computed(operation, host_args, host_options))
            values = _in_order(found)
            if targets and len(values) != len(targets):
                raise AssertionError(f"{func}: {len(targets)} tensors on CUDA, {len(values)} on the CPU")
            for target, value in zip(targets, values, strict=bool(targets)):
                if target is None or value is None or not target.numel() or not value.numel():
                    continue  # written in place; or an output that only one of the two has use for
                if target.shape != value.shape:
                    raise AssertionError(f"{func}: {target.shape} on CUDA, {value.shape} on the CPU")
                target.copy_(value)
            return found

        if capturing:
            if self.tape is not None:
                self.tape.append(compute)
            return out
        found = compute()
        # what torch read from the device's memory itself, such as the truth of torch.equal, it read too early
        return out if out is None or isinstance(out, (Tensor, *SEQUENCES)) else found


def _in_order(out: Any) -> list[Tensor | None]:
    """All that an operation returned, in its order: a gradient that nobody needs may be None on one of the two."""
    if isinstance(out, Tensor):
        return [out]
    if isinstance(out, SEQUENCES) and all(x is None or isinstance(x, Tensor) for x in out):
        return list(out)
    return list(tensors(out))


def _has_mask(indices: Any) -> bool:
    return any(on_cuda(i) and i.dtype in (torch.bool, torch.uint8) for i in indices if i is not None)


def current() -> Numbers | None:
    """This thread's mode; None outside ``computing()``."""
    return next((mode for mode in _get_current_dispatch_mode_stack() if isinstance(mode, Numbers)), None)


# ---- everywhere ----
@contextmanager
def computing() -> Iterator[None]:
    """CUDA tensors compute inside: in this thread and in those that it starts, in captured graphs at each replay."""
    if current() is not None:  # in a process that computes anyway
        yield
        return
    graph = torch.cuda.CUDAGraph
    begin, end, replay, reset = graph.capture_begin, graph.capture_end, graph.replay, graph.reset
    start, show, recorded = threading.Thread.start, torch._tensor_str._str, torch.cuda.Event.record

    def capture_begin(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        self.tape, self.rng = [], {}
        if (mode := current()) is not None:
            mode.tape, mode.rng = self.tape, self.rng

    def capture_end(self):
        if (mode := current()) is not None:
            mode.tape = mode.rng = None
        end(self)

    def replayed(self):
        for drawn in self.rng.values():
            drawn.start = drawn.generator.get_offset()
        replay(self)
        for drawn in self.rng.values():
            drawn.each = (drawn.generator.get_offset() - drawn.start) // drawn.count
        with _disable_current_modes(), torch.no_grad():
            for compute in self.tape:
                compute()

    def record(self, stream=None):
        """In a graph, an external event is recorded where it stands among what is computed."""
        recorded(self, stream)
        mode = current()
        if mode is not None and mode.tape is not None and torch.cuda.is_current_stream_capturing():
            mode.tape.append(lambda: runtime.stamp(self.cuda_event))

    def reset_(self):
        self.tape = []
        reset(self)

    def start_computing(self):
        run = self.run

        def run_computing():
            with Numbers():
                run()

        self.run = run_computing
        start(self)

    def shown(self, **kwargs):
        """Printing switches modes off, and then nothing that it asks of the device would be computed."""
        if not on_cuda(self):
            return show(self, **kwargs)
        return f"{show(host(self.detach()), **kwargs).removesuffix(')')}, device='{self.device}')"

    with (
        mock.patch.multiple(graph, capture_begin=capture_begin, capture_end=capture_end, replay=replayed, reset=reset_),
        mock.patch.object(torch.cuda.Event, "record", record),
        mock.patch.object(threading.Thread, "start", start_computing),
        mock.patch.object(torch._tensor_str, "_str", shown),
        Numbers(),
    ):
        yield
