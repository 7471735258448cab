"""How a step is executed: as it is written, or recorded as one CUDA graph.

Every mode does the same arithmetic. Where a mode cannot be had, the step is executed as written, and a note says why.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workbench.device_lost import pass_on
from workbench.engine.host_state import HostState, remembered
from workbench.engine.reasons import reason
from workbench.engine.recorder import Recorder
from workbench.engine.train_state import TrainState
from workbench.out_of_memory import out_of_memory
from workbench.step import StepContext, nobody

Step = Callable[[Tensor, Tensor, Tensor, StepContext], Tensor]
"""``(images, targets, labels, context)``, all on the device, to skip, float32 []: 1 where the update is masked."""
Record = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]
"""Records a function without running it: returns what repeats it, and the tensor that then holds its result."""

WARM_UP = 3
"""Real steps of each kind before one is recorded: libraries choose their algorithms, optimizers make their state."""
RESTLESS = 16
"""So many kinds of step one after the other, none of them twice, and steps are recorded no more."""


class CannotRecord(RuntimeError):
    """What keeps a step from being recorded, as one clause."""


def executed(step: Step, state: TrainState) -> Step:
    """The step as ``train.compile`` wants it executed."""
    how = state.execution
    if not how.recorded:
        return step
    if state.build.device.type != "cuda":
        state.note(f'train.compile = "{how.asked}": CUDA graphs need a CUDA device; steps run without one')
        state.execution = how.without_graph("CUDA graphs need a CUDA device")
        return step
    return Recorded(step, state)


@dataclass
class _Graph:
    """A recorded step: where its inputs lie, what repeats it, where its result lies.

    phases: the events at which its phases begin, of one that is repeated where they are measured. marked: that one.
    """

    inputs: tuple[Tensor, ...]
    repeat: Callable[[], None]
    result: Tensor
    phases: list[tuple[str, torch.cuda.Event]] = field(default_factory=list)
    marked: _Graph | None = None


class Recorded:
    """Records each kind of step once it was done a few times, and repeats the recording from then on.

    Steps are of one kind if their tensors have the same shapes and formats, the same parameters are trained, and
    techniques and optimizer hold the same values on the host. A batch that is smaller than the others is too rare to be
    recorded. Steps whose layers somebody looks into run as written. Those whose phases are measured repeat a recording
    of their own that has an event at the beginning of each. A kind that no step was of while another came up gives its
    memory up; if it comes back after all, it stays.
    """

    def __init__(self, step: Step, state: TrainState, record: Record | None = None) -> None:
        self._step = step
        self._state = state
        self._build = build = state.build
        recorder = Recorder(build.device)
        self._record = record or recorder.record
        self._recorder = recorder if record is None else None
        self._host = HostState(build)
        self._network = (-1, -1)
        self._networks: dict[Hashable, int] = {}
        self._done: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, _Graph] = {}
        self._left: set[Hashable] = set()
        self._since: set[Hashable] = set()
        self._restless = 0
        self._last: Any = None
        self._off = self._unmarked = self._ready = False
        self._capturable: list[dict[str, Any]] = []
        state.rates_on_device, state.make_room = True, self._make_room

    def __call__(self, images: Tensor, targets: Tensor, labels: Tensor, context: StepContext) -> Tensor:
        """One step."""
        inputs = (images, targets, labels)
        if not self._ready:
            self._make_capturable()
        if self._off or len(labels) < self._build.recipe.data.batch_size or self._state.looked_at(context):
            return self._as_written(images, targets, labels, context)
        kind = self._kind(inputs, context)
        graph = self._graphs.get(kind)
        if graph is None and (graph := self._new(kind, inputs, context)) is None:
            return self._as_written(images, targets, labels, context)
        self._since.add(kind)
        if self._state.phases.on:
            if (marked := self._marked(graph, context)) is None:
                self._state.phases.as_written = True
                return self._as_written(images, targets, labels, context)
            graph = marked
        for place, value in zip(graph.inputs, inputs, strict=True):
            place.copy_(value)
        graph.repeat()
        if graph.phases and self._state.phases.repeated is not None:
            self._state.phases.repeated(graph.phases)
        return graph.result

    def _as_written(self, images: Tensor, targets: Tensor, labels: Tensor, context: StepContext) -> Tensor:
        """The step without its graph. Where the recordings leave too little memory for it, they are given up."""
        if not self._graphs:
            return self._step(images, targets, labels, context)
        put_back, self._state.updating = remembered(self._build, self._host), False
        try:
            return self._step(images, targets, labels, context)
        except Exception as error:
            if not out_of_memory(error) or self._state.updating:  # an update that broke off cannot be undone
                raise
        put_back()
        self._state.make_room()
        return self._step(images, targets, labels, context)

    def _make_room(self) -> bool:
        """Give recordings up for the memory that they hold; whether there were any."""
        if not self._graphs:
            return False
        self._give_up("recordings left too little memory for the rest", recordable=True)
        return True

    def _marked(self, graph: _Graph, context: StepContext) -> _Graph | None:
        """The recording of the same step that has its phases; None where it cannot be had."""
        if self._unmarked or self._state.phases.repeated is None:
            return None
        if graph.marked is None:
            phases: list[tuple[str, torch.cuda.Event]] = []

            def at(phase: str) -> None:
                event = torch.cuda.Event(enable_timing=True, external=True)  # type: ignore[no-untyped-call]
                event.record()
                phases.append((phase, event))

            found = self._recorded(graph.inputs, context, at)
            if isinstance(found, str):
                self._unmarked = True
                why = f"their recording has no place for clocks ({found})"
                self._state.note(
                    f"phases are measured on steps that run without their graph, the others are faster: {why}"
                )
                return None
            graph.marked, found.phases = found, phases
        return graph.marked

    def _kind(self, inputs: tuple[Tensor, ...], context: StepContext) -> Hashable:
        if context.epoch != self._network[0]:
            # a number in its place: all that the layers hold would be hashed several times in every step
            self._network = context.epoch, self._networks.setdefault(self._host.of_an_epoch(), len(self._networks))
        trained = tuple(parameter.requires_grad for parameter in self._build.parameters)
        shapes = tuple((value.shape, value.dtype, value.stride()) for value in inputs)
        return (self._host.of_a_step(), self._network[1], shapes, trained)

    def _new(self, kind: Any, inputs: tuple[Tensor, ...], context: StepContext) -> _Graph | None:
        """Count a step of a kind that has no recording, and record it if it was seen often enough."""
        done = self._done[kind] = self._done.get(kind, 0) + 1
        if done == 1:
            self._since.clear()
        self._restless = self._restless + 1 if done == 1 else 0
        if self._restless > RESTLESS:
            owner = self._host.owner_of_change(self._last[0], kind[0])
            self._give_up(f"what {owner} keeps on the host differs in every step")
            return None
        self._last = kind
        if done <= WARM_UP:
            return None
        self._leave()
        found = self._recorded(inputs, context)
        if isinstance(found, str):
            self._give_up(found)
            return None
        self._graphs[kind] = found
        return found

    def _leave(self) -> None:
        """Forget recordings of kinds that have gone by, and with the last one the memory that they share."""
        for kind in [kind for kind in self._graphs if kind not in self._since and kind not in self._left]:
            del self._graphs[kind]
            self._left.add(kind)
        if not self._graphs and self._recorder is not None:
            self._recorder.free()

    def _recorded(
        self, inputs: tuple[Tensor, ...], context: StepContext, at: Callable[[str], None] | None = None
    ) -> _Graph | str:
        """A recording of the step, or what keeps it from being recorded; all is then as before.

        at: hears where its phases begin. Its inputs lie where those of the recording lie that it takes the place of.
        """
        before = self._host.copy()
        try:
            with self._state.pause(), self._state.phases.instead(at or nobody):
                places = inputs if at else tuple(torch.empty_like(value) for value in inputs)
                repeat, result = self._record(lambda: self._step(places[0], places[1], places[2], context))
            if change := before.change():
                raise CannotRecord(change)
        except Exception as error:  # an error of the step's own comes back when it runs as written
            pass_on(error)
            why = reason(error, self._build.hooks)
            before.put_back()
            return why
        before.put_back()
        return _Graph(places, repeat, result)

    def _give_up(self, why: str, *, recordable: bool = False) -> None:
        self._off = True
        self._graphs.clear()
        self._back_to_the_host()
        if self._recorder is not None:
            self._recorder.free()
        asked = self._state.execution.asked
        self._state.execution = self._state.execution.without_graph(why)
        what = why if recordable else f"this step cannot be recorded ({why})"
        self._state.note(f'train.compile = "{asked}": {what}; steps run without a graph')

    def _make_capturable(self) -> None:
        """Have optimizers keep on the device what they count; a fused one does so anyway."""
        self._ready = True
        for group in self._build.optimizer.param_groups:
            if group.get("capturable", True) is False and not group.get("fused"):
                self._capturable.append(group)
            if "capturable" in group:
                group["capturable"] = True
        for weight, state in self._build.optimizer.state.items():
            if isinstance(count := state.get("step"), Tensor) and count.device != weight.device:
                state["step"] = count.to(weight.device)

    def _back_to_the_host(self) -> None:
        """Rates and counts lie where optimizers have them whose steps nobody records: some take them nowhere else."""
        self._state.rates_on_device = False
        optimizer = self._build.optimizer
        for group in optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"] = float(group["lr"])
        for group in self._capturable:
            group["capturable"] = False
            for weight in group["params"]:
                state = optimizer.state.get(weight, {})
                if isinstance(count := state.get("step"), Tensor):
                    state["step"] = count.cpu()
