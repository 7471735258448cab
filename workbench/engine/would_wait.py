"""Which lines of a step would wait for a GPU, found out on the CPU: a few steps, each operation looked at."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.lines import LOOP, PACKAGE, is_library, is_ours
from workbench.engine.observer import Observer
from workbench.engine.reasons import owners
from workbench.engine.spare import small
from workbench.engine.train import train
from workbench.events import Event
from workbench.torch_compat import TorchDispatchMode

IMAGES = str(PACKAGE / "data" / "batches.py")
"""What augments whole images, in a loader's workers where there are any."""

OWN = str(Path(__file__).resolve())

IMAGES_A_STEP = 8
EPOCHS, STEPS_AN_EPOCH = 2, 3

aten = torch.ops.aten
READS = {
    aten._local_scalar_dense.default,  # item(), bool(), int(), float()
    aten.equal.default,
    aten.is_nonzero.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.unique_consecutive.default,
    aten.repeat_interleave.Tensor,
}
"""What a GPU must have computed before the host can go on: numbers that are read, tensors whose size is a number."""
TO_HOST = {Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.__array__}


def would_wait(wanted: Build) -> Counter[tuple[str, str]]:
    """Waits of steps by ``(technique, file.py:line)``, outside this package; technique "" where it is a model's line.

    The recipe is built anew on the CPU and trained for a few steps on a few of its images; ``wanted`` stays as it is.
    The first step is left out: what is prepared once may wait. A tensor counts as the GPU's if it comes from images,
    targets, weights or gradients; one that was made from nothing counts as the host's, so some waits are not seen.
    Raises what building or training raises.
    """
    few = small(wanted, IMAGES_A_STEP * STEPS_AN_EPOCH, IMAGES_A_STEP, IMAGES_A_STEP)
    recipe, _ = resolve_for_device(few, "cpu")
    spare = build(recipe, "cpu", Path())
    spare = spare.with_(steps=EPOCHS * STEPS_AN_EPOCH)
    workers = wanted.recipe.data.pipeline == "loader"
    listener = _Listener(spare, workers=workers)

    try:
        with backend(recipe), listener.listening():
            for _ in train(spare, Control(), observers=[_FromTheSecondStep(listener)]):
                pass
    finally:
        spare.close()
    return listener.found


class _FromTheSecondStep(Observer):
    def __init__(self, listener: _Listener) -> None:
        self._listener = listener

    def after_step(self) -> Iterator[Event]:
        self._listener.on = True
        yield from ()


class _Listener(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what comes from the training's own tensors, and notes the lines that read it."""

    def __init__(self, spare: Build, *, workers: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.on = False
        self.found: Counter[tuple[str, str]] = Counter()
        self._owners = owners(spare.hooks)
        self._workers = workers
        self._theirs: Any = WeakIdKeyDictionary()
        for tensor in (*spare.model.parameters(), *spare.model.buffers(), *_fields(spare.pipeline)):
            self._theirs[tensor] = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        with self, _Calls(self):
            yield

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        theirs = any(self.owns(x) for x in _tensors((args, kwargs)))
        if theirs and self.on and (func in READS or _masked(func, args)):
            self.note(sys._getframe(1))
        out = func(*args, **(kwargs or {}))
        if theirs:
            for tensor in _tensors(out):
                self._theirs[tensor] = True
        return out

    def owns(self, x: object) -> bool:
        """Whether a tensor lies on the GPU in a run on one."""
        return isinstance(x, Tensor) and x in self._theirs

    def note(self, frame: FrameType | None) -> None:
        """Note the line that waits, if it is in a step and neither torch's nor ours."""
        place, owner, augments = "", "", False
        while frame is not None:
            file = str(Path(frame.f_code.co_filename).resolve())
            if file == LOOP:
                between = frame.f_code.co_name == "batches" and not augments  # what an epoch's start does, does it once
                if place and not between:
                    self.found[owner, place] += 1
                return
            if file == IMAGES:
                if self._workers:
                    return
                augments = True
            if not place and file != OWN and not is_library(file):
                if is_ours(file):
                    return
                place = f"{Path(file).name}:{frame.f_lineno}"
            owner = owner or self._owners.get(frame.f_code) or self._owners.get(frame.f_code.co_filename) or ""
            frame = frame.f_back


class _Calls(TorchFunctionMode):
    """Sees what reads memory without an operation."""

    def __init__(self, listener: _Listener) -> None:
        super().__init__()
        self._listener = listener

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        listener = self._listener
        to_host = func in TO_HOST or (func is Tensor.to and "cpu" in (*args[1:], *(kwargs or {}).values()))
        if to_host and listener.on and listener.owns(args[0]):
            listener.note(sys._getframe(1))
        return func(*args, **(kwargs or {}))


def _masked(func: Any, args: Any) -> bool:
    """Whether it picks by a mask, so that the result's size is a number; a single value is written without that."""
    if func not in (aten.index.Tensor, aten.index_put.default, aten.index_put_.default):
        return False
    masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
    return bool(masks) and not (len(args) > 2 and args[2].numel() == 1 and len(masks) == 1)


def _fields(thing: object) -> list[Tensor]:
    return _tensors(list(vars(thing).values()))


def _tensors(x: Any) -> list[Tensor]:
    if isinstance(x, Tensor):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    return [t for each in x for t in _tensors(each)] if isinstance(x, tuple | list) else []
