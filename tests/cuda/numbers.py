"""CUDA tensors that hold the right numbers though no kernel runs.

``computing()`` is a dispatch mode for all threads: torch's own CUDA side runs as it is, then each operation is computed
by torch's CPU kernels on the same memory. While a stream captures nothing is computed, as on a GPU; each replay
computes what was captured. Convolutions, which cuDNN would plan and build at run time, are replaced as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock

import torch
import torch._tensor_str
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, _get_current_dispatch_mode_stack

from tests.cuda import convolutions, runtime
from tests.cuda.host import (
    SEQUENCES,
    collect,
    host,
    host_options,
    mapped,
    mapped_tensors,
    on_cuda,
    tensors,
    to_host,
    to_host_while_capturing,
)
from tests.cuda.operations import Operation, computed, has_mask, operation

Computation = Callable[[], Any]

draws_of: Literal["cuda", "cpu"] = "cuda"
"""Whose generator random operations draw from: the device's, whose state then means what it means on a GPU; or the
CPU's own, so that a run draws what the same run on the CPU draws."""


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
        given: list[Tensor] = []
        collect(args, given)
        if options:
            collect(options.values(), given)
        on_device = [t for t in given if t.is_cuda]
        if not on_device:
            asked = options.get("device")
            if asked is None or torch.device(asked).type != "cuda":
                return func(*args, **options)
        known = operation(func)
        if known.nothing:
            return func(*args, **options)
        if known.sized_by_values or (known.takes_masks and has_mask(args[1])):
            return self._sized_by_values(known, args, options, on_device)
        return self._same_size(known, args, options, on_device)

    def _sized_by_values(self, known: Operation, args, options, on_device):
        on_device[0].flatten()[:1].cpu()  # here a GPU is waited for; an error while it captures
        found = computed(known, mapped(args, to_host), host_options(mapped(options, to_host)))
        if known.in_place:
            return args[0]
        return mapped(found, lambda x: x.to(on_device[0].device) if isinstance(x, Tensor) else x)

    def _same_size(self, known: Operation, args, options, on_device):
        func = known.func
        capturing = torch._C._cuda_isCurrentStreamCapturing()
        drawing = None
        if known.draws:  # before it runs, since it moves the generator on
            device = on_device[0].device if on_device else torch.device(options["device"])
            drawing = _drawing(self, known, options, device)
        out = convolutions.launched(func, args) if known.convolution else func(*args, **options)
        results = _in_order(out)
        memory = {t.untyped_storage().data_ptr() for t in on_device}
        fresh = [t is not None and t.untyped_storage().data_ptr() not in memory for t in results]
        if results and not known.in_place and True not in fresh:
            return out  # a view
        seen = to_host_while_capturing if capturing else to_host
        host_args = mapped_tensors(args, seen)
        if options:
            options = host_options(dict(zip(options, mapped_tensors(options.values(), seen), strict=True)))
        # not the results themselves: a tape that keeps them keeps what autograd remembers of them, too
        targets = [to_host(t) if new else None for t, new in zip(results, fresh, strict=True)]

        def compute() -> Any:
            if drawing is None:
                found = computed(known, host_args, options)
            else:
                found = drawing(lambda: computed(known, host_args, options))
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
