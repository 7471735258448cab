"""The grammar in which runs are looked for: ``state:finished acc>0.9 -tag:bad resnet``.

Terms are separated by spaces and must all hold. A bare word stands in the name, the recipe, a tag or the note.
``field:text`` looks for a part of a text, ``field=text`` for all of it, commas separate alternatives. Numbers are
compared with ``:`` or ``=`` (as exactly as they are written), ``>``, ``>=``, ``<`` and ``<=``. ``-`` or ``!`` before a
term turns it round, and ``!=`` is ``=`` turned round. Quotes keep spaces together. Shares may be written ``90%``; times
need a unit: ``90s``, ``10m``, ``2h``, ``3d``, ``1w``.

A field may also be a key of the recipes, or its end: ``learning_rate>0.05``; its value is compared exactly. ``+cutmix``
finds the runs with a technique, ``-cutmix`` those without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from functools import partial
from typing import Any

from workbench.recipe.errors import nearest
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Entry
from workbench.runs.find.fields import NO_KEYS, Field, field
from workbench.runs.find.keys import Vocabulary, value_of, value_test
from workbench.runs.store.status import ACTIVE, ENDED

STATES = sorted({*ACTIVE, *ENDED, "unknown", "live", "ended"})
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_TERM = re.compile(r'(?P<field>[^\s"<>=:]+?)(?P<operator>!=|>=|<=|>|<|=|:)(?P<value>.*)', re.DOTALL)
_NUMBER = re.compile(r"(?P<digits>-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,2})?)\s*(?P<unit>[a-z%]*)")

Test = Callable[[Entry, float], bool]


class QueryError(RunError):
    """A term that means nothing: what is wrong with it, and what to write."""


@dataclass(frozen=True)
class Term:
    """One condition. ``field`` is "" for a bare word, and for a technique, whose ``operator`` is "+".

    hint: which values a key has, where no recipe has the wanted one. keys: those of the recipes that it looks at.
    """

    field: str
    operator: str
    value: str
    negated: bool
    test: Test = dataclass_field(compare=False, repr=False)
    hint: str = dataclass_field(default="", compare=False, repr=False)
    keys: tuple[str, ...] = dataclass_field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        if self.operator == "+":
            return f"{'!' if self.negated else ''}+{self.value}"
        text = f"{self.field}{self.operator}{_quoted(self.value)}"
        bare = not self.field and not _quoted(self.value).startswith('"')
        if bare and (text[0] in "-!+" or _TERM.fullmatch(text)):
            text = f'"{text}"'
        # -cutout may be a technique, !cutout is always the word
        return f"{('-' if self.field else '!') if self.negated else ''}{text}"


@dataclass(frozen=True)
class Query:
    """Some terms that must all hold; without any it finds every run."""

    terms: tuple[Term, ...] = ()

    def matches(self, entry: Entry, now: float) -> bool:
        """Whether a run is meant, at a moment in seconds since 1970."""
        return all(term.test(entry, now) != term.negated for term in self.terms)

    def select(self, entries: Iterable[Entry], now: float) -> list[Entry]:
        """The runs that are meant, in their order."""
        return [entry for entry in entries if self.matches(entry, now)]

    @property
    def hint(self) -> str:
        """Which values there are of the keys whose wanted value no recipe has; "" without such."""
        return "; ".join(term.hint for term in self.terms if term.hint)

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


def parse(text: str, vocabulary: Vocabulary = NO_KEYS) -> Query:
    """Read a query. vocabulary: of the recipes that it is asked of. Raises QueryError for a term that means nothing."""
    terms = (_term(word, vocabulary) for word in _WORD.findall(text))
    return Query(tuple(term for term in terms if term is not None))


def _term(word: str, vocabulary: Vocabulary) -> Term | None:
    negated = len(word) > 1 and word[0] in "-!"
    rest = word[1:] if negated else word
    match = _TERM.fullmatch(rest)
    try:
        if match is None:
            if (rest[0] == "+" and len(rest) > 1) or (word[0] == "-" and vocabulary.is_on_somewhere(rest)):
                technique = vocabulary.technique(rest.removeprefix("+"))
                return Term("", "+", technique, negated, lambda entry, now: technique in entry.keys, keys=(technique,))
            wanted = rest.replace('"', "")
            return Term("", "", wanted, negated, _bare(wanted.lower())) if wanted else None
        operator, value = match["operator"], match["value"].replace('"', "")
        if operator == "!=":
            operator, negated = "=", not negated
        found = field(match["field"], vocabulary)
        if not isinstance(found, Field):
            name = found[0] if len(found) == 1 else match["field"].lower()
            right = value_test(name, operator, value)
            hint = "" if negated else vocabulary.hint(name, found, right)
            return Term(name, operator, value, negated, partial(_key, found, right), hint, found)
    except QueryError:
        raise
    except RunError as error:
        raise QueryError(str(error)) from None
    if found.name == "state":
        test = _state(operator, value)
    elif found.kind == "text":
        test = _text(found, operator, value)
    else:
        test = _figure(found, operator, value)
    return Term(found.name, operator, value, negated, test)


def _key(found: tuple[str, ...], right: Callable[[Any], bool], entry: Entry, now: float) -> bool:
    return right(value_of(entry.keys, found))


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value


def _bare(wanted: str) -> Test:
    def test(entry: Entry, now: float) -> bool:
        texts = (entry.name, entry.recipe, *entry.notes.tags, entry.notes.note)
        return any(wanted in text.lower() for text in texts)

    return test


def _text(found: Field, operator: str, value: str) -> Test:
    if operator not in (":", "="):
        raise QueryError(
            f"{found.name}{operator}{value}: {found.name} is a text; write {found.name}:{value or 'words'}"
        )
    # ``note:`` alone finds the runs that have one.
    wanted = [part for part in value.lower().split(",") if part] or [""]

    def test(entry: Entry, now: float) -> bool:
        texts = found.read(entry, now)
        assert isinstance(texts, tuple)
        lower = [text.lower() for text in texts if text]
        return any(part == text if operator == "=" and part else part in text for text in lower for part in wanted)

    return test


def _state(operator: str, value: str) -> Test:
    if operator not in (":", "="):
        raise QueryError(f"state{operator}{value}: a state is a word; write state:{value or 'finished'}")
    wanted = [part for part in value.lower().split(",") if part]
    for part in wanted:
        if not any(state.startswith(part) for state in STATES):
            raise QueryError(f"no state '{part}'{nearest(part, STATES)}")
    if operator == ":":
        wanted = [state for state in STATES if any(state.startswith(part) for part in wanted or [""])]

    def test(entry: Entry, now: float) -> bool:
        also = "live" if entry.live else "ended" if entry.state in ENDED else ""
        return entry.state in wanted or also in wanted

    return test


def _figure(found: Field, operator: str, text: str) -> Test:
    value, slack = _number(found, operator, text)

    def test(entry: Entry, now: float) -> bool:
        figure = found.read(entry, now)
        if figure is None or isinstance(figure, tuple):
            return False
        match operator:
            case ">":
                return figure > value
            case ">=":
                return figure >= value
            case "<":
                return figure < value
            case "<=":
                return figure <= value
            case _:
                return abs(figure - value) <= slack

    return test


def _number(found: Field, operator: str, text: str) -> tuple[float, float]:
    """A figure in the field's own unit, and by how much an equal one may differ: half of its last digit."""
    match = _NUMBER.fullmatch(text.lower())
    example = {"share": "90%", "duration": "10m", "whole": "3", "number": "0.5"}[found.kind]
    if match is None:
        what = f"'{text}' is no number" if text else "a number is missing"
        raise QueryError(f"{found.name}{operator}{text}: {what}; write {found.name}{operator}{example}")
    unit = match["unit"]
    factor = _factor(found, unit, float(match["digits"]))
    if factor is None:
        known = {"duration": "a time needs a unit: s, m, h, d or w"}.get(found.kind, f"'{unit}' is no unit of it")
        raise QueryError(f"{found.name}{operator}{text}: {known}; write {found.name}{operator}{example}")
    value = float(match["digits"]) * factor
    last_digit = int(Decimal(match["digits"]).as_tuple().exponent)
    slack = 0.5 * 10.0**last_digit * factor
    if found.kind == "whole":
        return value, 0.0
    return value, min(slack, 0.005) if found.kind == "share" else slack


def _factor(found: Field, unit: str, number: float) -> float | None:
    if found.kind == "duration":
        return SECONDS.get(unit) if unit or number else 1.0
    if found.kind == "share":
        # No accuracy is above 1: whoever writes 90 means per cent.
        return {"%": 0.01, "": 0.01 if number > 1 else 1.0}.get(unit)
    return THOUSANDS.get(unit)
