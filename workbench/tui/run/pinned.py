"""The baseline's curves, which stand behind those of the run on screen."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventReader
from workbench.runs.store.notes import baseline
from workbench.tui.run.view import RunView


@dataclass(frozen=True)
class Pinned:
    """The run that is pinned, as it stood when it was read; "" and None where there is none but the one on screen."""

    name: str = ""
    view: RunView | None = None


class PinnedReader:
    """Reads the run that is pinned in a run's folder, again when another one is."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._name = ""

    def read_new(self) -> Pinned | None:
        """What is pinned now; None if nothing changed."""
        name = baseline(self._run.path.parent)
        name = "" if name == self._run.name else name
        if name == self._name:
            return None
        self._name = name
        if not name:
            return Pinned()
        view = RunView()
        view.feed(EventReader(RunDirectory(self._run.path.parent / name)).read()[0])
        view.loss.smoothed()
        view.accuracy.smoothed()
        return Pinned(name, view)
