"""What a run can be filtered and sorted by: every field once, with its name, its kind and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.recipe.errors import nearest
from workbench.runs.catalog import Entry
from workbench.runs.errors import RunError
from workbench.runs.status import Status

Kind = Literal["text", "share", "whole", "number", "duration"]
Value = tuple[str, ...] | float | None


@dataclass(frozen=True)
class Field:
    """One field. ``read`` takes a run and the present moment: texts for kind "text", else a figure, None if unknown.

    Shares are of 1, durations seconds. also: other names that people may write.
    """

    name: str
    kind: Kind
    about: str
    read: Callable[[Entry, float], Value]
    also: tuple[str, ...] = ()


def _status(read: Callable[[Status], float | None]) -> Callable[[Entry, float], Value]:
    return lambda entry, now: read(entry.status) if entry.status is not None else None


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("name", "text", "the run's name", lambda e, now: (e.name,), ("run",)),
        Field("recipe", "text", "the recipe's name", lambda e, now: (e.recipe,)),
        Field("state", "text", "its state; live and ended stand for several", lambda e, now: (e.state,)),
        Field("tag", "text", "one of its tags", lambda e, now: e.notes.tags, ("tags",)),
        Field("note", "text", "its note", lambda e, now: (e.notes.note,)),
        Field("device", "text", "cpu, cuda:0, …", lambda e, now: (e.status.device if e.status else "",)),
        Field("host", "text", "the machine's name", lambda e, now: (e.status.host if e.status else "",)),
        Field("acc", "share", "test accuracy", _status(lambda s: s.test_accuracy), ("accuracy", "test")),
        Field("best", "share", "best validation accuracy", _status(lambda s: s.best), ("validation",)),
        Field("loss", "number", "training loss", _status(lambda s: s.loss)),
        Field("test_loss", "number", "test loss", _status(lambda s: s.test_loss)),
        Field("time", "duration", "training time", _status(lambda s: s.seconds), ("seconds",)),
        Field("speed", "number", "images per second", _status(lambda s: s.images_per_second), ("img/s", "rate")),
        Field("seed", "whole", "the seed", _status(lambda s: s.seed)),
        Field("step", "whole", "steps done", _status(lambda s: s.step)),
        Field("steps", "whole", "steps of the whole run", _status(lambda s: s.steps or None)),
        Field("epoch", "number", "epochs done", _status(lambda s: s.epoch), ("epochs",)),
        Field("age", "duration", "time since it was made", lambda e, now: max(0.0, now - e.created)),
    )
}
_NAMES = {name: field for field in FIELDS.values() for name in (field.name, *field.also)}


def field(name: str) -> Field:
    """The field of a name, in any case. Raises RunError with the nearest one."""
    try:
        return _NAMES[name.lower()]
    except KeyError:
        hint = nearest(name.lower(), list(_NAMES), list_all=0) or f"; there are {', '.join(FIELDS)}"
        raise RunError(f"no field '{name}'{hint}") from None


def ordered(entries: Sequence[Entry], name: str, now: float, *, descending: bool = False) -> list[Entry]:
    """The runs sorted by a field; those without a value come last either way, equal ones keep their order."""
    read = field(name).read

    def value(entry: Entry) -> Any:
        found = read(entry, now)
        return " ".join(found).lower() if isinstance(found, tuple) else found

    known = [(found, entry) for entry in entries if (found := value(entry)) is not None and found != ""]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    kept = {id(entry) for _, entry in known}
    return [entry for _, entry in known] + [entry for entry in entries if id(entry) not in kept]
