"""Which devices the live runs of a folder hold on this machine. Torch-free."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from workbench.devices import list_gpus
from workbench.runs.find.catalog import Catalog
from workbench.runs.store.status import RunSummary

ANY = "?"
"""Stands for the device of a run that has not said yet which one it took: it could be any."""


class LiveRuns:
    """Finds a folder's live runs on this host."""

    def __init__(self, root: Path) -> None:
        self._catalog = Catalog(root)

    def find(self) -> Sequence[RunSummary]:
        """The runs that a process of this host is at work on, paused ones too; oldest first."""
        host = socket.gethostname()
        entries = self._catalog.refresh().entries
        return [e for e in reversed(entries) if e.live and e.status is not None and e.status.host == host]


def holders(live: Collection[RunSummary], known: Mapping[str, str] | None = None) -> dict[str, RunSummary]:
    """A run for each device that is held, :data:`ANY` among them. known: devices of runs that were told theirs."""
    held: dict[str, RunSummary] = {}
    for seen in live:
        device = (seen.status.device if seen.status else "") or (known or {}).get(seen.run.name, "") or ANY
        held.setdefault(device, seen)
    return held


def free_device(option: str, held: Collection[str], visible: str | None = None) -> str | None:
    """The device on which a run with this ``--device`` option can begin, or None while there is none.

    ``auto`` means a GPU that no live run holds, and the CPU where there is no GPU. A run that has not said which device
    it took keeps everybody waiting: it does so within seconds. visible: the run's CUDA_VISIBLE_DEVICES, None where that
    is not set.
    """
    if ANY in held:
        return None
    wanted = [option] if option != "auto" else [f"cuda:{number}" for number in gpu_numbers(visible)] or ["cpu"]
    return next((device for device in wanted if device not in held), None)


def gpu_numbers(visible: str | None = None) -> list[int]:
    """The numbers of the GPUs that torch would see, that with the most free memory first.

    The driver counts as torch does where the GPUs are alike, or where CUDA_DEVICE_ORDER is PCI_BUS_ID; elsewhere only
    the order may be another one.
    """
    free = {str(gpu.index): gpu.free for gpu in list_gpus()}
    names = list(free) if visible is None else _named(visible) if free else []
    return sorted(range(len(names)), key=lambda number: (-(free.get(names[number]) or 0), number))


def _named(visible: str) -> list[str]:
    names = [name.strip() for name in visible.split(",")]
    ends = [number for number, name in enumerate(names) if not name or name.startswith("-")]
    return names[: ends[0]] if ends else names  # CUDA stops at the first that is none
