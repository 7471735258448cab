"""What a run's recipe says, key by key, and which key a person means who writes a part of one.

Keys are written as in a filter: ``sgd.learning_rate``, ``data.batch_size``, and ``cutout`` (``"on"``) for a technique
that is switched on.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.format import bare
from workbench.recipe.errors import nearest
from workbench.runs.errors import RunError
from workbench.storage.regular import read_text

Keys = Mapping[str, Any]
"""A recipe's values by key; lists are tuples."""

SHORT = {"learning_rate": "lr", "batch_size": "batch", "weight_decay": "decay"}
"""What a key is called where room is short, which is understood as well."""

_LONG = {short: name for name, short in SHORT.items()} | {"model": "model.name"}

HINTS = 6
"""So many values of a key are listed where none is the wanted one."""

ON = "on"
SAID_ELSEWHERE = {"format", "name", "about", "seed", "plugins", "checks", "expect"}
"""Tables and values that are no key here: they change no number of a run, or a run's status says them."""


def read_keys(path: Path) -> Keys:
    """The keys of a run's recipe, which has every default written out. Empty where it cannot be read."""
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError):
        return {}
    head, table, rest = text.partition("\n[")
    return _keys(_SEED.sub("", head, count=1) + table + rest)


_SEED = re.compile(r"^seed = \d+$", re.MULTILINE)


@functools.lru_cache(4096)
def _keys(text: str) -> Keys:
    """The same object for recipes that differ by their seed only: who compares many runs looks at each kind once."""
    try:
        # Runs of one folder share most of their tables, so each table is parsed once and not once a recipe.
        tables = [_table(part) for part in re.split(r"\n(?=\[)", text)]
        return {key: value for table in tables for key, value in table}
    except tomllib.TOMLDecodeError:
        pass  # a line of a longer value begins with a bracket
    try:
        return dict(_table(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


@functools.lru_cache(4096)
def _table(text: str) -> tuple[tuple[str, Any], ...]:
    return tuple(_flat(tomllib.loads(text)))


def _flat(tables: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if name == "techniques" and isinstance(value, dict):
            for technique, values in value.items():
                if isinstance(values, dict) and values.get("enabled", True):
                    yield technique, ON
                    yield from _leaves(technique, {k: v for k, v in values.items() if k != "enabled"})
        elif name not in SAID_ELSEWHERE and isinstance(value, dict):
            yield from _leaves(name, value)


def _leaves(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", _fixed(value)


def _fixed(value: Any) -> Any:
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


class Vocabulary:
    """The keys of some runs' recipes. What is asked for first makes it; nothing is read."""

    def __init__(self, recipes: Iterable[Keys] = ()) -> None:
        self._recipes = list(recipes)

    @functools.cached_property
    def names(self) -> list[str]:
        """Every key that any of the recipes has."""
        return sorted({key for keys in self._kinds for key in keys})

    @functools.cached_property
    def _kinds(self) -> list[Keys]:
        """The recipes, those that share their keys once."""
        return list({id(keys): keys for keys in self._recipes}.values())

    def find(self, text: str) -> tuple[str, ...]:
        """The keys that a key or its end stands for: several only where no recipe has two of them.

        ``learning_rate`` is that of whichever optimizer a run has. Empty if there is none such. Raises RunError where a
        recipe has two.
        """
        wanted = text.lower().removeprefix("techniques.")
        if wanted in self.names:
            return (wanted,)
        before, dot, last = wanted.rpartition(".")
        wanted = before + dot + _LONG.get(last, last)
        if wanted in self.names:
            return (wanted,)
        found = [name for name in self.names if name.endswith(f".{wanted}")]
        for keys in self._kinds if len(found) > 1 else ():
            if len(both := [name for name in found if name in keys]) > 1:
                raise RunError(f"'{text}' may be {' or '.join(both)}; write one of them")
        return tuple(found)

    def hint(self, name: str, paths: Iterable[str], right: Callable[[Any], bool]) -> str:
        """Which values some keys have, in a few words, if none is right; else "". name: as a person wrote the keys."""
        found = {value for keys in self._kinds if (value := value_of(keys, paths)) is not None}
        if not found or any(map(right, found)):
            return ""
        values = [bare(value) for value in sorted(found, key=order_of)]
        more = f" and {len(values) - HINTS} more" if len(values) > HINTS else ""
        return f"{name} is {', '.join(values[:HINTS])}{more}"

    def technique(self, name: str) -> str:
        """The name of a technique, whether or not a run has it on. Raises RunError with the nearest one."""
        wanted = name.lower().removeprefix("techniques.")
        if not self.is_on_somewhere(wanted):
            from workbench.recipe.registries import TECHNIQUES  # costs time, and is seldom needed

            known = sorted({*(spec.name for spec in TECHNIQUES), *(key for key in self.names if "." not in key)})
            if wanted not in known:
                raise RunError(f"no technique '{name}'{nearest(wanted, known)}")
        return wanted

    def is_on_somewhere(self, name: str) -> bool:
        """Whether any of the runs has a technique of this name on."""
        return "." not in name and name.lower() in self.names


def value_of(keys: Keys, paths: Iterable[str]) -> Any:
    """The value of the first of some keys that a recipe has; None without any."""
    return next((keys[path] for path in paths if path in keys), None)


def order_of(value: Any) -> tuple[int, Any]:
    """By what values of one key are sorted: figures, then lists of them, then words."""
    match value:
        case bool():
            return 2, bare(value)
        case int() | float():
            return 0, value
        case tuple() if all(isinstance(each, int | float) for each in value):
            return 1, value
        case _:
            return 2, bare(value)


def value_test(name: str, operator: str, text: str) -> Callable[[Any], bool]:
    """Whether a value is as a condition says; commas separate alternatives. Raises RunError for what means nothing."""
    if operator in (":", "="):
        whole = _plain(text)
        wanted = [_plain(part) for part in text.split(",") if part]
        if not text:
            return lambda value: value is not None
        return lambda value: (
            value is not None and (_plain(bare(value)) == whole or any(_same(value, w) for w in wanted)
                                   or (operator == ":" and isinstance(value, str)
                                       and any(w in value.lower() for w in wanted)))
        )  # fmt: skip
    try:
        limit = float(text)
    except ValueError:
        what = f"'{text}' is no number" if text else "a number is missing"
        raise RunError(f"{name}{operator}{text}: {what}; write {name}{operator}0.1") from None

    def compared(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {">": value > limit, ">=": value >= limit, "<": value < limit, "<=": value <= limit}[operator]

    return compared


def _plain(text: str) -> str:
    return text.lower().strip("[]").replace(" ", "")


def _same(value: Any, wanted: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return abs(value - float(wanted)) <= 1e-9 * abs(value)
        except ValueError:
            return False
    words = {"true": ("true", "on", "yes"), "false": ("false", "off", "no")}
    plain = _plain(bare(value))
    return wanted in words.get(plain, (plain,))
