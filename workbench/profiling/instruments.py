"""What measures a running training: started when asked for, looked at between two steps. Torch-free."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workbench.device_lost import pass_on
from workbench.engine.observer import Observer
from workbench.events import Event, Noted

if TYPE_CHECKING:
    from workbench.control import Control
    from workbench.engine.train_state import TrainState


class Instrument(Protocol):
    """Measures one window of steps; may be started again after it. All is called on the training thread."""

    def start(self) -> None:
        """Begin, between two steps."""
        ...

    def after_step(self, step: int) -> bool:
        """A step has ended, and with it all that was said between it and the next; True: the window is over."""
        ...

    def finish(self, folder: Path) -> Iterator[Event]:
        """End the window, also before it is over; write files into ``folder``, say what was found."""
        ...


Make = Callable[["TrainState"], Instrument]
"""Makes an instrument for a training."""


def _phases(state: TrainState) -> Instrument:
    from workbench.profiling.phases import StepPhases

    return StepPhases(state.phases, state.build.device, state.clock)


def _stacks(state: TrainState) -> Instrument:
    from workbench.profiling.stacks import Stacks

    return Stacks()


def _trace(state: TrainState) -> Instrument:
    from workbench.profiling.trace import Trace

    return Trace()


INSTRUMENTS: dict[str, Make] = {"phases": _phases, "stacks": _stacks, "trace": _trace}
"""By the name under which :meth:`workbench.control.Control.measure` asks for them."""


class Instruments(Observer):
    """The instruments of one training. folder: where their files go."""

    def __init__(self, folder: Path, known: Mapping[str, Make] = INSTRUMENTS) -> None:
        self.folder = folder
        self._known = known
        self._active: dict[str, Instrument] = {}
        self._until: dict[str, float] = {}

    def begin(self, state: TrainState, control: Control) -> None:
        self._state, self._control = state, control

    def after_step(self) -> Iterator[Event]:
        """Begin, continue and end what was asked for; the training time stands still while results are written."""
        state, control = self._state, self._control
        for name, instrument in [*self._active.items()]:
            try:
                if not instrument.after_step(state.step):
                    continue
                with state.clock.standing_still():
                    yield from instrument.finish(self.folder)
                if time.monotonic() < self._until[name]:
                    instrument.start()
                else:
                    del self._active[name]
            except Exception as error:  # measuring must not end a run
                pass_on(error)
                del self._active[name]
                yield _broken(name, error)
        if control.measuring_requested:
            yield from self._start(control.take_measuring_requests())

    def steps_over(self) -> Iterator[Event]:
        """The training is over: end what is at work."""
        active, self._active = self._active, {}
        for name, instrument in active.items():
            try:
                yield from instrument.finish(self.folder)
            except Exception as error:
                yield _broken(name, error)

    def close(self) -> None:
        """End what is still at work, whatever ended the training; what it would say is not heard any more."""
        with contextlib.suppress(OSError):
            for _ in self.steps_over():
                pass

    def _start(self, requests: dict[str, float]) -> Iterator[Event]:
        for name, until in requests.items():
            self._until[name] = max(until, self._until.get(name, 0.0))
            if name in self._active:
                continue
            if name not in self._known:
                yield Noted(message=f"this run cannot measure '{name}'; it knows {', '.join(self._known)}")
                continue
            try:
                instrument = self._known[name](self._state)
                instrument.start()
            except Exception as error:
                pass_on(error)
                yield _broken(name, error)
            else:
                self._active[name] = instrument


def _broken(name: str, error: Exception) -> Noted:
    return Noted(message=f"measuring {name} was given up: {type(error).__name__}: {' '.join(str(error).split())}")
