"""An object on its way to processes that were not forked from this one."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.reduction import DupFd
from typing import Any

import cloudpickle
import torch
from torch import Tensor

from workbench.recipe.plugins import Plugin, adopt_plugins, loaded_plugins

_ALIGNMENT = 64
_OWN_BUFFER_BYTES = 4096
"""Smaller arrays travel in the pickle itself."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles lambdas and closures by their code, and arrays and tensors so that all receivers share one copy."""

    def reducer_override(self, thing: Any) -> Any:
        if type(thing) is Tensor and thing.device.type == "cpu" and thing.layout == torch.strided:
            try:
                return torch.from_numpy, (thing.numpy(),)
            except (TypeError, RuntimeError):  # a type that numpy has not, a gradient
                return NotImplemented
        return super().reducer_override(thing)


class Parcel:
    """An object pickled once, for any number of processes to open, whatever the way in which they were started.

    Its large arrays lie in memory that all of them map; who writes to one gets a copy of that page, as after a fork.
    It may be made of what the plugins of this process define, and of lambdas. Opening loads those plugins first.
    Raises what pickling raises: PicklingError, TypeError, AttributeError and the like.
    """

    def __init__(self, thing: Any) -> None:
        kept: list[memoryview] = []

        def keep(buffer: pickle.PickleBuffer) -> bool:
            view = buffer.raw()
            if view.nbytes < _OWN_BUFFER_BYTES:
                return True
            kept.append(view)
            return False

        self._plugins = loaded_plugins()
        file = io.BytesIO()
        _Pickler(file, protocol=5, buffer_callback=keep).dump(thing)
        self._memory = _Memory.of([file.getbuffer(), *kept])

    def __reduce__(self) -> tuple[Callable[..., Parcel], tuple[Any, ...]]:
        return _received, (self._plugins, DupFd(self._memory.descriptor), self._memory.sizes)

    def open(self) -> Any:
        """The object, made anew. Raises what unpickling raises, and PluginError."""
        adopt_plugins(self._plugins)
        pickled, *buffers = self._memory.views()
        return pickle.loads(pickled, buffers=buffers)


def _received(plugins: tuple[Plugin, ...], descriptor: Any, sizes: tuple[int, ...]) -> Parcel:
    parcel = Parcel.__new__(Parcel)
    parcel._plugins = plugins
    parcel._memory = _Memory(descriptor.detach(), sizes)
    return parcel


class _Memory:
    """Some buffers in one anonymous file; not in /dev/shm, which is small in containers."""

    def __init__(self, descriptor: int, sizes: tuple[int, ...]) -> None:
        self.descriptor = descriptor
        self.sizes = sizes

    def __del__(self) -> None:
        os.close(self.descriptor)

    @classmethod
    def of(cls, buffers: Sequence[memoryview]) -> _Memory:
        if hasattr(os, "memfd_create"):
            memory = cls(os.memfd_create("workbench"), tuple(buffer.nbytes for buffer in buffers))
        else:
            with tempfile.TemporaryFile() as file:
                memory = cls(os.dup(file.fileno()), tuple(buffer.nbytes for buffer in buffers))
        for start, buffer in zip(memory._starts(), buffers, strict=True):
            flat, done = buffer.cast("B"), 0
            while done < flat.nbytes:
                done += os.pwrite(memory.descriptor, flat[done : done + 2**30], start + done)
        os.ftruncate(memory.descriptor, memory._starts()[-1] + _padded(memory.sizes[-1]))
        return memory

    def views(self) -> list[memoryview]:
        mapped = memoryview(mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_COPY))
        return [mapped[start : start + size] for start, size in zip(self._starts(), self.sizes, strict=True)]

    def _starts(self) -> list[int]:
        starts = [0]
        for size in self.sizes[:-1]:
            starts.append(starts[-1] + _padded(size))
        return starts


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
