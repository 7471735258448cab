"""An epoch's batches by CUDA graphs: what makes a batch is recorded once in an epoch and repeated for the rest of it.

Augmentation is many small operations, each a launch that takes the host longer than the device. It depends on the batch
and on its epoch, which is a number on the host: hence a recording for each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.data.device import DevicePipeline
from workbench.device_lost import pass_on
from workbench.engine.build import Build
from workbench.engine.execution import WARM_UP, CannotRecord
from workbench.engine.host_state import HostState
from workbench.engine.reasons import reason
from workbench.engine.recorder import Recorder
from workbench.engine.train_state import TrainState
from workbench.out_of_memory import out_of_memory
from workbench.step import Repeated, as_written

FEWEST = 4
"""Batches of an epoch for which a recording is worth its time: it takes as long as two batches."""


def batch_maker(state: TrainState) -> Repeated:
    """What calls the functions that make a training's batches."""
    return RecordedBatches(state) if recorded_batches(state.build) else as_written


def recorded_batches(build: Build) -> bool:
    """Whether what makes its batches is to be recorded: where whole steps are, and an epoch has some of them."""
    return build.device.type == "cuda" and build.execution.recorded and len(build.pipeline) >= FEWEST


@dataclass
class _Recording:
    """A function of one epoch. host: what it was recorded with; its outputs lie where they lie for every batch."""

    epoch: int
    host: Hashable
    inputs: tuple[Tensor, ...]
    graph: Any
    outputs: tuple[Tensor, ...]


class RecordedBatches:
    """Calls functions that make batches; from the fourth full batch on, repeats recordings of them.

    A batch that is smaller than the others is made as written, and the first of an epoch, in which functions may make
    what they keep for it. Where one of them cannot be recorded all are called as they are written from then on, and a
    note says why. Where memory is short the recordings are given up, after those of steps.
    """

    def __init__(self, state: TrainState) -> None:
        self._state = state
        self._build = build = state.build
        self._recorder = Recorder(build.device)
        here = isinstance(build.pipeline, DevicePipeline)  # a loader's workers make images elsewhere
        hooks = build.hooks
        making = (hooks.memory_format, hooks.normalise, hooks.tensor_augmentation, hooks.target_mixing)
        self._host = HostState(build, (hooks.image_augmentation, *making) if here else making)
        self._done: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._recordings: dict[str, _Recording] = {}
        self._gone: list[tuple[torch.cuda.Event, Any]] = []
        self._off = False
        self._room_of_steps, state.make_room = state.make_room, self._make_room

    def __call__(
        self, name: str, function: Callable[..., tuple[Tensor, ...]], epoch: int, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        """What the function gives."""
        if not self._off and not self._state.execution.recorded:  # steps gave their recordings up, for memory perhaps
            self._give_up()
        if self._off or len(inputs[-1]) < self._build.recipe.data.batch_size:
            return function(*inputs)
        done = self._done[name] = self._done.get(name, 0) + 1
        first, self._epochs[name] = self._epochs.get(name) != epoch, epoch
        if done <= WARM_UP or first:
            return function(*inputs)
        recording = self._present(name, function, epoch, inputs)
        if recording is None:
            return function(*inputs)
        for place, value in zip(recording.inputs, inputs, strict=True):
            if place is not value:
                place.copy_(value)
        recording.graph.replay()
        return recording.outputs

    def _present(
        self, name: str, function: Callable[..., tuple[Tensor, ...]], epoch: int, inputs: tuple[Tensor, ...]
    ) -> _Recording | None:
        """The function's recording, made if there is none of this epoch; None where there can be none."""
        before, host = self._recordings.get(name), self._host.of_functions()
        if before is not None and before.epoch == epoch:
            if before.host == host:
                return before
            self._give_up(f"what {self._host.owner_of_change(before.host, host)} keeps on the host differs in an epoch")
            return None
        found = self._recorded(function, epoch, host, inputs)
        if isinstance(found, str):
            self._give_up(found)
            return None
        self._recordings[name] = found
        self._gone = [gone for gone in self._gone if not gone[0].query()]  # type: ignore[no-untyped-call]
        if before is not None:  # the device may still be at it
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
            self._gone.append((event, before.graph))
        return found

    def _recorded(
        self, function: Callable[..., tuple[Tensor, ...]], epoch: int, host: Hashable, inputs: tuple[Tensor, ...]
    ) -> _Recording | str:
        """A recording, or what keeps the function from being recorded; all is then as before."""
        lasting = [output for recording in self._recordings.values() for output in recording.outputs]
        places = tuple(
            value if any(value is output for output in lasting) else torch.empty_like(value) for value in inputs
        )
        before = self._host.copy_of_functions()
        try:
            graph, outputs = self._record(lambda: function(*places))
            if change := before.change():
                raise CannotRecord(change)
        except Exception as error:  # an error of the function's own comes back when it is called
            pass_on(error)
            before.put_back()
            return reason(error, self._build.hooks)
        return _Recording(epoch, host, places, graph, outputs)

    def _record(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Any, tuple[Tensor, ...]]:
        """Recorded; where memory is short once more, with all that torch keeps of it and nobody uses."""
        try:
            return self._recorder.record_at_once(function)
        except Exception as error:
            if not out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        return self._recorder.record_at_once(function)

    def _make_room(self) -> bool:
        """Give recordings up for the memory that they hold, those of steps first; whether there were any."""
        room = self._room_of_steps()
        if not self._off and self._recordings:
            self._give_up("" if room else "they left too little memory for the rest")
            return True
        return room

    def _give_up(self, why: str = "") -> None:
        self._off = True
        if self._recordings or self._gone:
            torch.cuda.synchronize(self._build.device)
        self._recordings.clear()
        self._gone.clear()
        self._recorder.free()
        if why:
            self._state.note(
                f'train.compile = "{self._state.execution.asked}": batches are made without a graph ({why})'
            )
