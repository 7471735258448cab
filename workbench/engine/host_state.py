"""What a training step keeps on the host, which a recorded step neither reads anew nor changes when it is repeated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, MutableMapping
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from workbench.engine.build import Build
from workbench.engine.host_copy import DEPTH, PLAIN, Copy, Place, drawn, version
from workbench.engine.train_state import TrainState
from workbench.hooks import Hook, Hooks
from workbench.tensors import memory_blocks


def in_step(hooks: Hooks) -> tuple[Hook[..., Any], ...]:
    """Hooks whose functions, or what they return, run within a step."""
    return (
        hooks.criterion,
        hooks.objective,
        hooks.gradient,
        hooks.gradient_edits,
        hooks.precision,
        hooks.memory_format,
    )


class _Cells(MutableMapping[str, Any]):
    """The variables of a function that it shares with where it was made."""

    def __init__(self, function: FunctionType) -> None:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        self._cells: dict[str, CellType] = dict(cells)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._cells[name].cell_contents
        except ValueError:  # not set yet
            return None

    def __setitem__(self, name: str, value: Any) -> None:
        self._cells[name].cell_contents = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("a function's variables are fixed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)


class _Same:
    """Equal to itself alone; keeps what it stands for, so that nothing else can take its place in memory."""

    __slots__ = ("thing", "version")

    def __init__(self, thing: object, version: int) -> None:
        self.thing = thing
        self.version = version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.thing is other.thing and self.version == other.version

    def __hash__(self) -> int:
        return hash((id(self.thing), self.version))


class HostState:
    """What a build's steps keep on the host, as far as it can be reached.

    hooks: those whose functions are looked into; if left out, those whose functions, or what they return, run within a
    step.
    """

    def __init__(self, build: Build, hooks: Iterable[Hook[..., Any]] | None = None) -> None:
        self._build = build
        seen: set[int] = set()
        self._step: list[Place] = []
        for hook in in_step(build.hooks) if hooks is None else hooks:
            for registered in hook:
                self._step += _reached(registered.owner, registered.function, seen)
        self._epoch = [Place(f"the layer '{name}'", module.__dict__) for name, module in build.model.named_modules()]
        self._kept = [
            Place(f"techniques.{name}", vars(kept)) for name, kept in build.in_checkpoints.items() if _has_vars(kept)
        ]

    def of_a_step(self) -> Hashable:
        """What a step's functions and the optimizer's groups hold at present; equal where a recording would be."""
        groups = tuple(self._seen(group, 0) for group in self._build.optimizer.param_groups)
        return groups, *self.of_functions()

    def of_functions(self) -> tuple[Hashable, ...]:
        """What the functions at its hooks hold."""
        return tuple(self._seen(place.values, 0) for place in self._step)

    def of_an_epoch(self) -> Hashable:
        """What the network's layers hold; more to look at than before every step."""
        return tuple(self._seen(place.values, 0) for place in self._epoch)

    def owner_of_change(self, one: Any, other: Any) -> str:
        """Whose values differ between two readings, of steps or of functions."""
        before = [] if len(one) == len(self._step) else ["the optimizer's groups"]
        owners = [*before, *(place.owner for place in self._step)]
        return next((owner for owner, a, b in zip(owners, one, other, strict=True) if a != b), "the network")

    def copy(self) -> Copy:
        """All of it as it is, to compare with or to put back."""
        optimizer, scaler = self._build.optimizer, self._build.precision.scaler
        own = [Place("the optimizer", optimizer.__dict__), Place("the loss scaler", scaler.__dict__)]
        return Copy(self._build, [*self._step, *own, *self._kept, *self._epoch])

    def copy_of_functions(self) -> Copy:
        """What the functions at its hooks hold as it is."""
        return Copy(self._build, self._step)

    def _seen(self, value: Any, depth: int) -> Hashable:
        if isinstance(value, PLAIN):
            return value
        if (found := drawn(value)) is not None:
            return found
        if depth < DEPTH and isinstance(value, MutableMapping):
            return tuple((key, self._seen(each, depth + 1)) for key, each in value.items() if isinstance(key, Hashable))
        if depth < DEPTH and isinstance(value, list | tuple | deque) and len(value) <= 32:
            return tuple(self._seen(each, depth + 1) for each in value)
        return _Same(value, version(value, self._build.device))


def remembered(build: Build, host: HostState) -> Callable[[], None]:
    """What puts back all that a forward and backward pass changes: the norms' statistics, generators, gradients."""
    before = host.copy()
    blocks = memory_blocks(build.model.buffers())
    values = [block.clone() for block in blocks]
    device_state = torch.cuda.get_rng_state(build.device) if build.device.type == "cuda" else None

    def put_back() -> None:
        before.put_back()
        for block, value in zip(blocks, values, strict=True):
            block.copy_(value)
        if device_state is not None:
            torch.cuda.set_rng_state(device_state, build.device)

    return put_back


def _has_vars(thing: object) -> bool:
    return isinstance(getattr(thing, "__dict__", None), dict)


def _reached(owner: str, function: Any, seen: set[int]) -> list[Place]:
    """The places of a function, of the functions that it has taken along, and of the objects whose methods they are."""
    if id(function) in seen or isinstance(function, nn.Module | type):
        return []
    seen.add(id(function))
    if isinstance(function, MethodType):
        return [*_reached(owner, function.__func__, seen), *_object(owner, function.__self__, seen)]
    if isinstance(function, partial):
        given = Place(owner, {str(place): value for place, value in enumerate(function.args)} | function.keywords)
        return [given, *_reached(owner, function.func, seen)]
    if isinstance(function, FunctionType):
        cells = _Cells(function)
        inner = [place for value in cells.values() if callable(value) for place in _reached(owner, value, seen)]
        return ([Place(owner, cells)] if cells else []) + inner
    return _object(owner, function, seen) if callable(function) else []


def _object(owner: str, thing: Any, seen: set[int]) -> list[Place]:
    if id(thing) in seen or isinstance(thing, nn.Module | type | Build | TrainState) or not _has_vars(thing):
        return []
    seen.add(id(thing))
    return [Place(owner, vars(thing))]
