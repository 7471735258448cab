"""A training's checkpoints: when it last wrote one, and how it goes on from one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workbench.engine.meter import Clock
from workbench.engine.observer import Observer
from workbench.engine.state import Checkpoints, capture, fitting, restore
from workbench.engine.train_state import TrainState
from workbench.events import CheckpointSaved


class Saving:
    """Saves one training and puts it back. checkpoints: where to; None: nowhere."""

    def __init__(self, state: TrainState, checkpoints: Checkpoints | None, observers: Iterable[Observer]) -> None:
        self._state = state
        self._checkpoints = checkpoints
        self._observers = [observer for observer in observers if observer.name]
        self._saved_at: tuple[int, Path] | None = None

    def save(self, name: str) -> Iterator[CheckpointSaved]:
        """Write ``"last"`` or ``"best"``; the last is not written twice at one step."""
        state, checkpoints = self._state, self._checkpoints
        if checkpoints is None or (name == "last" and self._saved_at == (state.step, checkpoints.folder)):
            return
        own = {"guard": state.guard.state_dict(), "meter": state.meter.state_dict()}
        theirs = {observer.name: observer.state_dict() for observer in self._observers}
        saved = capture(state.build, state.step, seconds=state.clock.seconds, best=state.best, **own, **theirs)
        path = checkpoints.save(name, saved)
        if name == "last":
            self._saved_at = state.step, path.parent
        yield CheckpointSaved(step=state.step, file=path.name)

    def restore(self, saved: dict[str, Any]) -> None:
        """Put a saved state back, of the build, of the training, and of who looks on. Raises CheckpointError."""
        state = self._state
        state.step = restore(state.build, saved)
        with fitting():
            state.guard.load_state_dict(saved["guard"])
            state.guard.begin(state.step)
            state.meter.load_state_dict(saved["meter"])
            for observer in self._observers:
                observer.load_state_dict(saved.get(observer.name, {}))
            state.clock = Clock(saved["seconds"])
            state.best = saved["best"]
        if self._checkpoints is not None:
            self._saved_at = state.step, self._checkpoints.folder
