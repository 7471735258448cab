"""CUDA graphs of functions, and a device that is as before where one cannot be recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from workbench import torch_compat

T = TypeVar("T")


class Recorder:
    """Records CUDA graphs that share one pool of memory: only one of them runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def record(self, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Record what ``function`` launches. Raises what keeps it from being recorded; nothing has happened then."""
        with torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            pool = self._pool or torch.cuda.graph_pool_handle()
            # Other threads may use the device meanwhile: only this thread's calls are checked.
            with _undone(self._device, pool), torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                result = function()
            self._pool = pool
        return graph.replay, result

    def record_at_once(self, function: Callable[[], T]) -> tuple[Any, T]:
        """The same, the graph itself in place of what repeats it, without a wait for the device; what torch keeps of
        its memory is not given back first. For what is recorded often.
        """
        with torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            aside = _aside(self._device.index)
            aside.wait_stream(torch.cuda.current_stream())
            with _undone(self._device, self._pool), torch.cuda.stream(aside):
                graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                try:
                    result = function()
                except BaseException:
                    with suppress(RuntimeError):  # that the recording is spoilt, which is known
                        graph.capture_end()
                    raise
                graph.capture_end()
            torch.cuda.current_stream().wait_stream(aside)
        return graph, result

    def free(self) -> None:
        """Give the memory back; nothing that was recorded may be repeated any more, or referred to."""
        self._pool = None
        with torch.cuda.device(self._device):
            torch.cuda.empty_cache()


@cache
def _aside(index: int) -> torch.cuda.Stream:
    """The stream that is recorded at once, of a device: libraries keep memory for each stream."""
    return torch.cuda.Stream(index)  # type: ignore[no-untyped-call]


@contextmanager
def _undone(device: torch.device, pool: tuple[int, int]) -> Iterator[None]:
    """An error in the block leaves neither stream nor generator nor memory as the recording needed them.

    Before 2.15 torch itself leaves all three so where a recording ends with an error.
    """
    stream = torch.cuda.current_stream()
    try:
        yield
    except BaseException:
        torch.cuda.set_stream(stream)
        with suppress(RuntimeError):  # where torch has seen to it
            torch_compat.end_graphs_allocation(device.index, pool)
        with suppress(RuntimeError):  # of a device that is lost
            _end_generators_recording(device.index)
        raise


def _end_generators_recording(index: int) -> None:
    """A recording that ends well ends that of the device's generator, which one that was spoilt has left in it.

    Another state in the generator would do for what is launched next, but earlier graphs draw from the one it has.
    """
    graph, something = torch.cuda.CUDAGraph(), torch.zeros((), device=torch.device("cuda", index))
    with torch.cuda.stream(_aside(index)):
        graph.capture_begin(capture_error_mode="thread_local")
        something.zero_()
        graph.capture_end()
