"""A copy of what a training step keeps on the host: to see whether it has changed, and to put it back."""

from __future__ import annotations

import pickle
import random
import sys
from collections import deque
from collections.abc import Hashable, MutableMapping
from typing import Any

import torch
from torch import Tensor

from workbench import torch_compat
from workbench.engine.build import Build

PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device)

DEPTH = 5
"""How deep containers within containers are looked into."""

SET_EVERY_STEP = ("found_inf", "grad_scale")
"""What the loop itself sets in an optimizer before it is read."""


class Place:
    """Names with values: an object's attributes, or what a function has taken along from where it was made."""

    def __init__(self, owner: str, values: MutableMapping[str, Any]) -> None:
        self.owner = owner
        self.values = values


class Copy:
    """A copy of what steps keep on the host, and of the state of the host's random generators."""

    def __init__(self, build: Build, places: list[Place]) -> None:
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
        self._version = version(value, device)
        self._drawn = drawn(value)
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
            return None if now is self.value and drawn(now) == self._drawn else ""
        if self._items is None:
            plain = isinstance(now, (*PLAIN, tuple)) and type(now) is type(self.value)
            same = now is self.value and version(now, self._device) == self._version
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


def drawn(value: object) -> Hashable:
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


def version(value: object, device: torch.device) -> int:
    """Counts the changes in place of a tensor on the host; one on the training device is what a recording reads."""
    if isinstance(value, Tensor) and value.device.type != device.type and not value.is_inference():
        return torch_compat.changes_in_place(value)
    return 0
