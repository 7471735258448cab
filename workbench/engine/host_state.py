"""What a training step keeps on the host, which a recorded step neither reads anew nor changes when it is repeated."""

from __future__ import annotations

import pickle
import random
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, MutableMapping
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from workbench import torch_compat
from workbench.engine.build import Build
from workbench.engine.train_state import TrainState
from workbench.hooks import Hook, Hooks
from workbench.tensors import memory_blocks

PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device)

DEPTH = 5
"""How deep containers within containers are looked into."""

SET_EVERY_STEP = ("found_inf", "grad_scale")
"""What the loop itself sets in an optimizer before it is read."""


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


class _Place:
    """Names with values: an object's attributes, or what a function has taken along from where it was made."""

    def __init__(self, owner: str, values: MutableMapping[str, Any]) -> None:
        self.owner = owner
        self.values = values


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
        self._step: list[_Place] = []
        for hook in in_step(build.hooks) if hooks is None else hooks:
            for registered in hook:
                self._step += _reached(registered.owner, registered.function, seen)
        self._epoch = [_Place(f"the layer '{name}'", module.__dict__) for name, module in build.model.named_modules()]
        self._kept = [
            _Place(f"techniques.{name}", vars(kept)) for name, kept in build.in_checkpoints.items() if _has_vars(kept)
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
        own = [_Place("the optimizer", optimizer.__dict__), _Place("the loss scaler", scaler.__dict__)]
        return Copy(self._build, [*self._step, *own, *self._kept, *self._epoch])

    def copy_of_functions(self) -> Copy:
        """What the functions at its hooks hold as it is."""
        return Copy(self._build, self._step)

    def _seen(self, value: Any, depth: int) -> Hashable:
        if isinstance(value, PLAIN):
            return value
        if (drawn := _drawn(value)) is not None:
            return drawn
        if depth < DEPTH and isinstance(value, MutableMapping):
            return tuple((key, self._seen(each, depth + 1)) for key, each in value.items() if isinstance(key, Hashable))
        if depth < DEPTH and isinstance(value, list | tuple | deque) and len(value) <= 32:
            return tuple(self._seen(each, depth + 1) for each in value)
        return _Same(value, _version(value, self._build.device))


class Copy:
    """A copy of what steps keep on the host, and of the state of the host's random generators."""

    def __init__(self, build: Build, places: list[_Place]) -> None:
        self._build = build
        self._places = [(place, _Value(place.values, build.device)) for place in places]
        self._gradients = [(parameter, parameter.grad) for parameter in build.parameters]
        self._generators = generators()

    def change(self) -> str:
        """What is no longer as it was, as part of a sentence; "" where nothing is."""
        for place, before in self._places:
            if name := before.change(place.values, SET_EVERY_STEP):
                return f"{place.owner} changes '{name}' on the host in every step, which a repetition would not"
        now = generators()
        if drawn := next((name for name, state in self._generators.items() if not _equal(state, now.get(name))), ""):
            return f"a step draws random numbers from {drawn}, which a repetition would not"
        return ""

    def put_back(self) -> None:
        """Have everything as it was."""
        for _, before in self._places:
            before.put_back()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        _set_generators(self._generators)


class _Value:
    """A value with copies of the containers in it."""

    def __init__(self, value: Any, device: torch.device, depth: int = 0) -> None:
        self.value = value
        self._device = device
        self._items: dict[Any, _Value] | list[_Value] | set[Any] | None = None
        self._bits: Tensor | None = None
        self._version = _version(value, device)
        self._drawn = _drawn(value)
        if depth < DEPTH and isinstance(value, MutableMapping):
            self._items = {key: _Value(each, device, depth + 1) for key, each in value.items()}
        elif depth < DEPTH and isinstance(value, list | deque):
            self._items = [_Value(each, device, depth + 1) for each in value]
        elif isinstance(value, set):
            self._items = set(value)
        elif isinstance(value, Tensor) and value.device.type == "cpu" != device.type:
            self._bits = value.detach().clone()

    def change(self, now: Any, but: tuple[str, ...] = ()) -> str | None:
        """The name of what differs, "" if it is the whole; None where nothing does."""
        if self._drawn is not None:
            return None if now is self.value and _drawn(now) == self._drawn else ""
        if self._items is None:
            plain = isinstance(now, (*PLAIN, tuple)) and type(now) is type(self.value)
            same = now is self.value and _version(now, self._device) == self._version
            return None if same or (plain and _equal(now, self.value)) else ""
        if type(now) is not type(self.value) or (not isinstance(self._items, dict) and len(now) != len(self._items)):
            return ""
        if isinstance(self._items, set):
            return None if now == self._items else ""
        if isinstance(self._items, list):
            return next((f for a, b in zip(self._items, now, strict=True) if (f := a.change(b)) is not None), None)
        for key in [*self._items, *(key for key in now if key not in self._items)]:
            if key in but:
                continue
            if key not in now or key not in self._items:
                return str(key) if isinstance(key, str) else "its state"
            if (found := self._items[key].change(now[key])) is not None:
                return found or (key if isinstance(key, str) else "its state")
        return None

    def put_back(self) -> Any:
        """The value as it was, its containers being the same objects."""
        value = self.value
        if isinstance(self._items, dict):
            for key in [key for key in value if key not in self._items]:
                del value[key]
            for key, item in self._items.items():
                before = item.put_back()
                if key not in value or value[key] is not before:
                    value[key] = before
        elif isinstance(self._items, list):
            items = [item.put_back() for item in self._items]
            value.clear()
            value.extend(items)
        elif self._items is not None:
            value.clear()
            value.update(self._items)
        elif self._drawn is not None:
            _draw_again(value, self._drawn)
        elif self._bits is not None and torch_compat.changes_in_place(value) != self._version:
            with torch.no_grad():
                value.copy_(self._bits)
        return value


def remembered(build: Build, host: HostState) -> Callable[[], None]:
    """What puts back all that a forward and backward pass changes: the norms' statistics, generators, gradients."""
    before = host.copy()
    blocks = memory_blocks(build.model.buffers())
    values = [block.clone() for block in blocks]
    drawn = torch.cuda.get_rng_state(build.device) if build.device.type == "cuda" else None

    def put_back() -> None:
        before.put_back()
        for block, value in zip(blocks, values, strict=True):
            block.copy_(value)
        if drawn is not None:
            torch.cuda.set_rng_state(drawn, build.device)

    return put_back


def generators() -> dict[str, Any]:
    """The states of the host's global random generators, by what a reader calls them."""
    found: dict[str, Any] = {"torch's generator on the CPU": torch.random.get_rng_state(), "random": random.getstate()}
    if (numpy := sys.modules.get("numpy")) is not None:
        found["numpy.random"] = numpy.random.get_state(legacy=False)
    return found


def _set_generators(states: dict[str, Any]) -> None:
    torch.random.set_rng_state(states["torch's generator on the CPU"])
    random.setstate(states["random"])
    if "numpy.random" in states:
        sys.modules["numpy"].random.set_state(states["numpy.random"])


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, Tensor):
        return a is b or (isinstance(b, Tensor) and torch.equal(a, b))
    if hasattr(a, "tobytes"):
        return hasattr(b, "tobytes") and bool(a.tobytes() == b.tobytes())
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a is b or bool(a == b)


def _drawn(value: object) -> Hashable:
    """How far a random generator on the host that somebody keeps has come; None for anything else."""
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes() if value.device.type == "cpu" else None
    if (numpy := sys.modules.get("numpy")) is None:
        return None
    if isinstance(value, numpy.random.Generator):
        return pickle.dumps(value.bit_generator.state)
    return pickle.dumps(value.get_state(legacy=False)) if isinstance(value, numpy.random.RandomState) else None


def _draw_again(value: Any, drawn: Any) -> None:
    """Have a generator as far as it was."""
    if isinstance(value, random.Random):
        value.setstate(drawn)
    elif isinstance(value, torch.Generator):
        value.set_state(torch.frombuffer(bytearray(drawn), dtype=torch.uint8))
    elif hasattr(value, "bit_generator"):
        value.bit_generator.state = pickle.loads(drawn)
    else:
        value.set_state(pickle.loads(drawn))


def _version(value: object, device: torch.device) -> int:
    """Counts the changes in place of a tensor on the host; one on the training device is what a recording reads."""
    if isinstance(value, Tensor) and value.device.type != device.type and not value.is_inference():
        return torch_compat.changes_in_place(value)
    return 0


def _has_vars(thing: object) -> bool:
    return isinstance(getattr(thing, "__dict__", None), dict)


def _reached(owner: str, function: Any, seen: set[int]) -> list[_Place]:
    """The places of a function, of the functions that it has taken along, and of the objects whose methods they are."""
    if id(function) in seen or isinstance(function, nn.Module | type):
        return []
    seen.add(id(function))
    if isinstance(function, MethodType):
        return [*_reached(owner, function.__func__, seen), *_object(owner, function.__self__, seen)]
    if isinstance(function, partial):
        given = _Place(owner, {str(place): value for place, value in enumerate(function.args)} | function.keywords)
        return [given, *_reached(owner, function.func, seen)]
    if isinstance(function, FunctionType):
        cells = _Cells(function)
        inner = [place for value in cells.values() if callable(value) for place in _reached(owner, value, seen)]
        return ([_Place(owner, cells)] if cells else []) + inner
    return _object(owner, function, seen) if callable(function) else []


def _object(owner: str, thing: Any, seen: set[int]) -> list[_Place]:
    if id(thing) in seen or isinstance(thing, nn.Module | type | Build | TrainState) or not _has_vars(thing):
        return []
    seen.add(id(thing))
    return [_Place(owner, vars(thing))]
