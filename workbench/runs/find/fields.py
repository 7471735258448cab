"""The fields of runs: read, sorted by, and as a table writes them; means and spreads of several runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.format import UNKNOWN, age, bare, duration, figure, percent
from workbench.recipe.errors import nearest
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Entry
from workbench.runs.find.compare import METRICS, Metric
from workbench.runs.find.groups import Figure, Group
from workbench.runs.find.keys import Vocabulary, order_of, value_of
from workbench.runs.store.status import Status

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


NO_KEYS = Vocabulary()


def field(name: str, vocabulary: Vocabulary = NO_KEYS) -> Field | tuple[str, ...]:
    """The field of a name, in any case, or the keys of the recipes. Raises RunError with the nearest one."""
    if (known := _NAMES.get(name.lower())) is not None:
        return known
    if found := vocabulary.find(name):
        return found
    ends = {key.rpartition(".")[2] for key in vocabulary.names}
    names = list(dict.fromkeys((*_NAMES, *vocabulary.names, *sorted(ends))))
    hint = nearest(name.lower(), names, list_all=0, cutoff=0.7) or f"; there are {', '.join(FIELDS)}"
    more = ", and every key of the recipes" if vocabulary.names and "there are" in hint else ""
    raise RunError(f"no field '{name}'{hint}{more}") from None


def ordered(
    entries: Sequence[Entry], name: str, now: float, *, descending: bool = False, vocabulary: Vocabulary = NO_KEYS
) -> list[Entry]:
    """The runs sorted by a field; those without a value come last either way, equal ones keep their order."""
    by = field(name, vocabulary)

    def read(entry: Entry, now: float) -> Any:
        if isinstance(by, Field):
            return by.read(entry, now)
        found = value_of(entry.keys, by)
        return None if found is None else order_of(found)

    def value(entry: Entry) -> Any:
        found = read(entry, now)
        return " ".join(found).lower() if isinstance(by, Field) and isinstance(found, tuple) else found

    known = [(found, entry) for entry in entries if (found := value(entry)) is not None and found != ""]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    kept = {id(entry) for _, entry in known}
    return [entry for _, entry in known] + [entry for entry in entries if id(entry) not in kept]


METRIC_OF = {
    "acc": "test accuracy", "test_loss": "test loss", "best": "best validation", "loss": "training loss",
    "time": "training time", "speed": "images/s",
}  # fmt: skip
"""The fields of the filter that are a metric's."""

_METRICS = {metric.name: metric for metric in METRICS}


def spread(metric: Metric, found: Figure, share: Callable[[float], str] = percent) -> tuple[str, str]:
    """A mean and its spread: ``98.05 %`` and ``±0.31``."""
    match metric.kind:
        case "share":
            words, after = share(found.mean), "" if found.spread is None else f"±{100 * found.spread:.2f}"
        case "loss":
            words, after = figure(found.mean), "" if found.spread is None else f"±{found.spread:.4f}"
        case "seconds":
            words, after = duration(found.mean), "" if found.spread is None else f"±{found.spread:.1f} s"
        case _:
            words, after = f"{found.mean:,.0f}", "" if found.spread is None else f"±{found.spread:,.0f}"
    return words, after


def group_cell(group: Group, name: str, share: Callable[[float], str] = percent) -> str:
    """``98.05 % ±0.31``, with the number of runs where not all have finished; "" for what is not averaged."""
    metric = _METRICS[METRIC_OF[name]] if name in METRIC_OF else None
    found = group.figure(metric) if metric is not None else None
    if metric is None or found is None:
        return UNKNOWN if metric is not None else ""
    n = f" n={found.n}" if found.n < len(group.members) else ""
    return " ".join(filter(None, spread(metric, found, share))) + n


def cell(entry: Entry, by: Field | tuple[str, ...], now: float) -> str:
    """What a field, or the first of some keys that its recipe has, says of a run; a dash for what is unknown."""
    if not isinstance(by, Field):
        value = value_of(entry.keys, by)
        return UNKNOWN if value is None else bare(value)
    if isinstance(entry, Group):
        if by.name in METRIC_OF:
            return group_cell(entry, by.name)
        if by.name == "state":
            return states(entry)
        if by.name in ("name", "seed", "step", "steps", "epoch"):
            return ""
    found = by.read(entry, now)
    if isinstance(found, tuple):
        return " ".join(found)
    if found is None:
        return UNKNOWN
    match by.kind:
        case "share":
            return percent(found)
        case "duration":
            return age(found) if by.name == "age" else duration(found)
        case "whole":
            return f"{found:,.0f}"
        case _:
            return f"{found:,.0f}" if by.name == "speed" else figure(found)


def states(group: Group) -> str:
    """``5 finished`` or ``4 finished, 1 running``."""
    return ", ".join(f"{count} {state}" for state, count in group.states.items())
