"""How fast runs were on this machine, and how long another recipe would take. Torch-free."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.events import RunStarted, from_json
from workbench.recipe import Recipe, RecipeError
from workbench.recipe.schema import to_tables
from workbench.runs.find.catalog import Catalog, Entry
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import LONGEST
from workbench.storage.file_cache import FileCache
from workbench.storage.regular import open_regular

SPEED_GROUPS = ("architecture", "precision and speed")
"""Groups of techniques that decide how long a step takes, as far as anything general can be said."""


@dataclass(frozen=True)
class Speed:
    """What a run reached: images per second in training, on ``device``. cost: what it depends on, to compare."""

    recipe: str
    device: str
    images_per_second: float
    multiply_adds: int | None
    cost: str


@dataclass(frozen=True)
class Estimate:
    """What a recipe can expect. ``scaled``: from a run of another recipe, by the multiply-adds of an image."""

    images_per_second: float
    scaled: bool
    source: Speed


class Speeds:
    """The speeds of the runs in a folder. A run is read again only when its status has changed."""

    def __init__(self, root: Path) -> None:
        self._catalog = Catalog(root)
        self._speeds: FileCache[str, Speed | None] = FileCache()

    def read(self) -> list[Speed]:
        """The speeds of this host's runs, newest first. Reads files: not for the UI thread."""
        entries = self._catalog.refresh().entries  # none where they cannot be read: the Runs screen says why
        self._speeds.keep_only([entry.name for entry in entries])
        return [speed for entry in entries if (speed := self._of(entry)) is not None]

    def _of(self, entry: Entry) -> Speed | None:
        run, status = entry.run, entry.status
        if status is None or status.host != socket.gethostname() or not (images_per_second := status.images_per_second):
            return None
        return self._speeds.get(
            entry.name, (run.status_file,), lambda before: _speed(run, status.device, images_per_second)
        )


def _speed(run: RunDirectory, device: str, images_per_second: float) -> Speed | None:
    try:
        recipe = run.recipe()
        descriptor = open_regular(run.events_file)
        try:
            started = from_json(os.pread(descriptor, LONGEST, 0).partition(b"\n")[0])
        finally:
            os.close(descriptor)
    except (OSError, RecipeError):
        return None
    count = started.multiply_adds if isinstance(started, RunStarted) else None
    return Speed(recipe.name, device, images_per_second, count, cost(recipe))


def cost(recipe: Recipe) -> str:
    """What a recipe's images per second depend on besides the machine; equal texts, equal throughput."""
    tables = to_tables(recipe)
    kept = {t.name: tables["techniques"][t.name] for t in recipe.active() if t.group in SPEED_GROUPS}
    data = {key: tables["data"][key] for key in ("source", "pipeline", "batch_size")}
    return repr((tables["model"], data, kept))


def estimate(recipe: Recipe, multiply_adds: int | None, device: str, speeds: Iterable[Speed]) -> Estimate | None:
    """The throughput of the newest run that costs the same here, else of the one nearest in multiply-adds, scaled.

    device: ``"cpu"`` or ``"cuda:N"``. None where nothing comparable was measured.
    """
    here = [speed for speed in speeds if speed.device == device]
    wanted = cost(recipe)
    for speed in here:
        if speed.cost == wanted:
            return Estimate(speed.images_per_second, False, speed)
    if not multiply_adds:
        return None
    ratios = [(abs(math.log(s.multiply_adds / multiply_adds)), n, s) for n, s in enumerate(here) if s.multiply_adds]
    if not ratios:
        return None
    nearest = min(ratios)[2]
    assert nearest.multiply_adds
    return Estimate(nearest.images_per_second * nearest.multiply_adds / multiply_adds, True, nearest)
