"""How a step is executed: as it is written, recorded as one CUDA graph, or with the network compiled.

Every mode does the same arithmetic. Where a mode cannot be had, the step is executed as written, and a note says why.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.engine.build import Build, Network
from workbench.step import Moment

Step = Callable[[Tensor, Tensor, Tensor, Moment], Tensor]
"""``(images, targets, labels, moment)``, all on the device, to skip, float32 []: 1 where the update is masked."""
Note = Callable[[str], None]
Pause = Callable[[], AbstractContextManager[None]]
Record = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]
"""Records a function without running it: returns what repeats it, and the tensor that then holds its result."""

GRAPHS = ("graph", "max")
COMPILED = {"default": "default", "max": "max-autotune-no-cudagraphs"}
"""Modes of torch.compile by mode of execution; "max" is recorded as a graph of ours, the optimizer included."""
WARM_UP = 3
"""Real steps of each kind before one is recorded: libraries choose their algorithms, optimizers make their state."""


def executed(step: Step, build: Build, note: Note, pause: Pause = nullcontext) -> Step:
    """The step as ``train.compile`` wants it executed. pause: the training time stands still in it."""
    if build.recipe.train.compile not in GRAPHS:
        return step
    if build.device.type != "cuda":
        note(f'train.compile = "{build.recipe.train.compile}": CUDA graphs need a CUDA device; steps run without one')
        return step
    return Recorded(step, build, note, pause)


@dataclass
class _Graph:
    """A recorded step: where its inputs lie, what repeats it, where its result lies."""

    inputs: tuple[Tensor, ...]
    repeat: Callable[[], None]
    result: Tensor


class Recorded:
    """Records each kind of step once it was done a few times, and repeats the recording from then on.

    Steps are of one kind if their tensors have the same shapes and formats and the same parameters are trained. A batch
    that is smaller than the others is too rare to be recorded. Steps that somebody looks into run as written: a graph
    has neither phases nor layers.
    """

    def __init__(
        self, step: Step, build: Build, note: Note, pause: Pause = nullcontext, record: Record | None = None
    ) -> None:
        self._step = step
        self._build = build
        self._note = note
        self._pause = pause
        self._record = record or _Recorder(build.device).record
        self._done: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, _Graph] = {}
        self._off = self._said = False
        build.rates_on_device = True

    def __call__(self, images: Tensor, targets: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        """One step."""
        inputs = (images, targets, labels)
        if self._off or len(labels) < self._build.recipe.data.batch_size or self._watched(moment):
            return self._step(images, targets, labels, moment)
        kind = self._kind(inputs)
        graph = self._graphs.get(kind)
        if graph is None:
            done = self._done.get(kind, 0)
            self._done[kind] = done + 1
            if done < WARM_UP or (graph := self._recorded(inputs, moment)) is None:
                return self._step(images, targets, labels, moment)
            self._graphs[kind] = graph
        for place, value in zip(graph.inputs, inputs, strict=True):
            place.copy_(value)
        graph.repeat()
        return graph.result

    def _watched(self, moment: Moment) -> bool:
        if self._build.marks.on and not self._said:
            self._said = True
            self._note("phases are measured on steps that run without their graph; the others are faster")
        return self._build.watched(moment)

    def _kind(self, inputs: tuple[Tensor, ...]) -> Hashable:
        trained = tuple(parameter.requires_grad for parameter in self._build.parameters)
        return (*((value.shape, value.dtype, value.stride()) for value in inputs), trained)

    def _recorded(self, inputs: tuple[Tensor, ...], moment: Moment) -> _Graph | None:
        places = [torch.empty_like(value) for value in inputs]
        for group in self._build.optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True
        try:
            with self._pause():
                repeat, result = self._record(lambda: self._step(places[0], places[1], places[2], moment))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._off = True
            self._build.optimizer.zero_grad(set_to_none=True)
            reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            mode = self._build.recipe.train.compile
            self._note(f'train.compile = "{mode}": this step cannot be recorded ({reason}); steps run without a graph')
            return None
        return _Graph(tuple(places), repeat, result)


class _Recorder:
    """Records CUDA graphs that share one pool of memory: only one of them runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def record(self, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Record what ``function`` launches. Raises RuntimeError where it waits for the device."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            # Other threads may use the device meanwhile: only this thread's calls are checked.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                result = function()
            self._pool = self._pool or graph.pool()
        return graph.replay, result


def compiled(build: Build, note: Note) -> Network:
    """The network for training steps: the model itself, or compiled for batches of full size."""
    mode = COMPILED.get(build.recipe.train.compile)
    if mode is None:
        return build.model
    # Layers such as dropout draw what they draw without compiling.
    choices = {**torch._inductor.list_mode_options(mode), "fallback_random": True}
    fast: Network = torch.compile(build.model, options=choices, dynamic=False)
    working, size = True, build.recipe.data.batch_size

    def call(images: Tensor) -> Tensor:
        nonlocal working
        if not working or len(images) < size or build.watched(build.moment(build.step)):
            return build.model(images)  # type: ignore[no-any-return]
        try:
            return fast(images)
        except torch._dynamo.exc.TorchDynamoException as error:
            working = False
            reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            note(f'train.compile = "{build.recipe.train.compile}": the network cannot be compiled ({reason})')
            return build.model(images)  # type: ignore[no-any-return]

    return call
