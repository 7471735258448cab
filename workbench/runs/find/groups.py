"""Runs that differ by their seed only, folded into one line: mean and spread of what came out."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS, NOT_COMPARED, Metric


@dataclass(frozen=True)
class Figure:
    """mean: of ``n`` runs. spread: their sample standard deviation (n − 1), None for one run."""

    mean: float
    spread: float | None
    n: int


@dataclass(frozen=True)
class Group(Entry):
    """Several runs as one. Its run is the first of them, its figures are means over those that finished.

    status: None only where no member has one.
    """

    members: tuple[Entry, ...] = ()

    @property
    def name(self) -> str:
        """Another one than that of any run."""
        return f"{self.members[-1].name} and those of other seeds"

    @property
    def states(self) -> dict[str, int]:
        """How many are in which state, the most frequent first."""
        return dict(Counter(member.state for member in self.members).most_common())

    @property
    def finished(self) -> list[Entry]:
        """Those whose figures count."""
        return [member for member in self.members if member.state == "finished"]

    def figure(self, metric: Metric) -> Figure | None:
        """A figure over the members that finished; None if none of them has it."""
        found = [v for member in self.finished if (v := metric.of(member)) is not None]
        if not found:
            return None
        spread = statistics.stdev(found) if len(found) > 1 else None
        return Figure(statistics.fmean(found), spread, len(found))


def grouped(entries: Sequence[Entry]) -> list[Entry]:
    """The runs, those that are equal but for the seed as one :class:`Group`, where the first of them stood.

    A run without another of its kind stays as it is; so does one whose recipe cannot be read. One that has no device
    yet, because it waits or never began, stands with those of its recipe if they ran on one kind of device only.
    """
    said: dict[int, object] = {}  # by the identity of the keys, which runs of one kind share
    kinds = [_kind(entry, said) for entry in entries]
    devices: dict[object, set[str]] = {}
    for kind, entry in zip(kinds, entries, strict=True):
        devices.setdefault(kind, set()).update({_device(entry)} - {""})
    found: dict[object, list[Entry]] = {}
    for kind, entry in zip(kinds, entries, strict=True):
        only = next(iter(devices[kind])) if len(devices[kind]) == 1 else ""
        found.setdefault((kind, _device(entry) or only), []).append(entry)
    return [_group(members) if len(members) > 1 else members[0] for members in found.values()]


def _device(entry: Entry) -> str:
    return entry.status.device if entry.status else ""


def _kind(entry: Entry, said: dict[int, object]) -> object:
    if not entry.keys:
        return entry.name
    if id(entry.keys) not in said:
        said[id(entry.keys)] = frozenset((k, v) for k, v in entry.keys.items() if k not in NOT_COMPARED)
    return entry.recipe, said[id(entry.keys)]


def _group(members: Sequence[Entry]) -> Group:
    first = members[0]
    states = Counter(member.state for member in members)
    state = next((s for s in ("running", "paused", "stalled", "queued") if s in states), states.most_common(1)[0][0])
    group = Group(
        first.run, state, first.recipe, max(m.created for m in members), None, keys=first.keys, members=tuple(members)
    )
    shown = next((member.status for member in members if member.status is not None), None)
    if shown is None:
        return group
    found = {metric.name: figure.mean for metric in METRICS if (figure := group.figure(metric))}
    status = replace(
        shown, state=state, seed=None, message="", step=0, steps=0,
        test_accuracy=found.get("test accuracy"), test_loss=found.get("test loss"), best=found.get("best validation"),
        loss=found.get("training loss"), seconds=found.get("training time"), images_per_second=found.get("images/s"),
    )  # fmt: skip
    tags = tuple(tag for tag in first.notes.tags if all(tag in member.notes.tags for member in members))
    return replace(group, status=status, notes=replace(first.notes, tags=tags, note=""))
