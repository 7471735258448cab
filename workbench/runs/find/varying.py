"""In what a list of runs differs, the most telling first, and what all of them have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log2
from typing import Any

from workbench.format import bare
from workbench.runs.find.catalog import Entry
from workbench.runs.find.keys import SHORT, value_of
from workbench.runs.find.query import Query

QUIET = {
    "train.threads", "train.log_every", "train.eval_every", "train.checkpoint_every", "train.compile", "data.workers",
    "data.prefetch", "data.pin_memory", "data.persistent_workers", "data.eval_batch_size",
}  # fmt: skip
"""Keys that change no number that a run learns, or hardly one: no column appears by itself for them."""

COMMON = ("model.name", "data.source", "train.epochs", "data.batch_size")


@dataclass(frozen=True)
class Varying:
    """keys: in which the runs differ. common: what all have, in short words. fields: ``recipe``, ``device``, ``seed``
    where those differ. usual: what most of the runs have in each of the keys, None for a key that most do not have.
    """

    keys: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    usual: Mapping[str, Any] = field(default_factory=dict)


def title(key: str) -> str:
    """A short name: ``lr``, ``batch``, ``cutout``."""
    last = key.rpartition(".")[2]
    return SHORT.get(last, "model" if key == "model.name" else last)


def titles(keys: Sequence[str]) -> list[str]:
    """The same for several keys; where two would be called alike, both are written out."""
    short = [title(key) for key in keys]
    return [key if short.count(name) > 1 else name for key, name in zip(keys, short, strict=True)]


def varying(entries: Sequence[Entry]) -> Varying:
    """Compare the recipes of runs. Of fewer than two, nothing varies and nothing is in common."""
    if len(entries) < 2:
        return Varying()
    told: dict[str, set[Any]] = {
        "recipe": {entry.recipe for entry in entries},
        "device": {entry.status.device for entry in entries if entry.status and entry.status.device},
        "seed": {entry.status.seed for entry in entries if entry.status and entry.status.seed is not None},
    }
    fields = frozenset(name for name, found in told.items() if len(found) > 1)
    known = [entry for entry in entries if entry.keys]  # not one whose recipe cannot be read
    usual = _keys(known)
    first = known[0].keys if known else {}
    differ = {key for entry in known for key in COMMON if entry.keys.get(key) != first.get(key)}
    common = [next(iter(told["recipe"]))] if len(told["recipe"]) == 1 else []
    common += [next(iter(told["device"]))] if len(told["device"]) == 1 else []
    for key in COMMON:
        if key in first and key not in differ:
            value = bare(first[key])
            if key == "train.epochs":
                common.append(f"{value} epoch{'' if value == '1' else 's'}")
            elif key == "data.batch_size":
                common.append(f"batch {value}")
            elif value not in common:
                common.append(value)
    if len(told["seed"]) == 1:
        common.append(f"seed {next(iter(told['seed']))}")
    return Varying(tuple(usual), tuple(common), fields, usual)


def in_common(differs: Varying, query: Query, entries: Sequence[Entry]) -> tuple[str, ...]:
    """What all of several runs have, in short words; what a filter says of their recipes too.

    Of a key that it names stands there the value that all have, ``lr 0.1``, or else the condition, ``lr>0.05``; of a
    technique ``+cutmix`` or ``−cutmix``.
    """
    found = list(differs.common)
    for term in query.terms if len(entries) > 1 else ():
        values = {value_of(entry.keys, term.keys) for entry in entries}
        if term.operator == "+":
            found.append(f"{'−' if term.negated else '+'}{term.value}")
        elif len(values) > 1 and term.keys:
            found.append(f"{'not ' if term.negated else ''}{title(term.field)}{term.operator}{term.value}")
        elif term.keys and not set(term.keys) & set(COMMON) and values != {None}:
            found.append(f"{title(term.field)} {bare(values.pop())}")
    return tuple(dict.fromkeys(found))


def _keys(entries: Sequence[Entry]) -> dict[str, Any]:
    """The keys that tell runs of one recipe's name apart, with what most of them have there, the most telling first.

    A technique's own values are among them only where runs that have it differ in them.
    """
    values: dict[str, Counter[Any]] = defaultdict(Counter)
    kinds: dict[str, dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    having: dict[str, Counter[str]] = defaultdict(Counter)
    by_recipe: Counter[str] = Counter()
    recipes = {id(entry.keys): entry.keys for entry in entries}  # those that differ by seed only share theirs
    for (recipe, which), count in Counter((entry.recipe, id(entry.keys)) for entry in entries).items():
        by_recipe[recipe] += count
        for key, value in recipes[which].items():
            values[key][value] += count
            kinds[key][recipe].add(value)
            having[key][recipe] += count
    found = []
    for key, counts in values.items():
        absent = len(entries) - counts.total()
        if key in QUIET or len(counts) + bool(absent) < 2:
            continue
        if len(counts) == 1 and "." in key:  # it comes and goes with its technique or its model
            continue
        within = any(len(each) > 1 or having[key][recipe] < by_recipe[recipe] for recipe, each in kinds[key].items())
        if not within:  # the recipe's name says it
            continue
        shares = [count / len(entries) for count in (*counts.values(), absent) if count]
        found.append((-sum(-share * log2(share) for share in shares), "." not in key, key))
    usual = {key: max([*values[key].items(), (None, len(entries) - values[key].total())], key=lambda pair: pair[1])[0]
             for _, _, key in found}  # fmt: skip
    return {key: usual[key] for _, _, key in sorted(found)}


def telling(entry: Entry, keys: Sequence[str], among: Sequence[Entry]) -> list[str]:
    """The keys in which a run is not as most of the runs beside it are."""
    return [key for key in keys
            if 2 * sum(other.keys.get(key) == entry.keys.get(key) for other in among) <= len(among)]  # fmt: skip


def in_short(entry: Entry, keys: Sequence[str]) -> str:
    """The values that a run has in some keys, each with its short name; a technique as ``+cutout`` or ``−cutout``."""
    words = []
    for key, name in zip(keys, titles(keys), strict=True):
        if "." not in key:
            words.append(f"+{name}" if key in entry.keys else f"−{name}")
        elif key in entry.keys:
            words.append(f"{name} {bare(entry.keys[key])}")
    return " ".join(words)
