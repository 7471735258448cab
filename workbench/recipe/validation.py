"""What is wrong with a TOML text or a table of it, in words for people: shared by recipes and settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.format import toml as as_toml
from workbench.recipe.errors import Problem, nearest, quoted
from workbench.recipe.parameters import parameters
from workbench.recipe.specs import Table
from workbench.recipe.synonyms import KEYS
from workbench.storage import toml
from workbench.visible import shortened

T = TypeVar("T", bound=Table)

Complain = Callable[[str, str], object]
"""Hears a dotted path and what is wrong there."""


def parse(text: str, where: str) -> dict[str, Any] | Problem:
    """The tables of a TOML text, or the one problem that keeps it from being read."""
    try:
        return toml.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).partition(" (at line ")
        message = _TUPLE.sub(lambda found: "'" + found[1].replace("', '", ".") + "'", message)
        number = place.rstrip(")").split(",")[0] if place else ""
        line = int(number) if number.isdigit() else None
        hint = _instead(text.splitlines()[line - 1]) if line and line <= len(text.splitlines()) else ""
        return Problem("", f"not readable as TOML: {message}{hint}", line, where)
    except (RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Problem("", f"not readable as TOML: {reason}", None, where)


_TUPLE = re.compile(r"\('([^()]*)',?\)")
"""A dotted key as tomllib names it: ``('data', 'workers')``."""

_VALUE = re.compile(r"^[^=#]*=(?P<value>[^#\"'\[\]{}]*)(#.*)?$")


def _instead(line: str) -> str:
    """What to write in place of a line's value, where TOML has another way to write it; else ""."""
    found = _VALUE.match(line)
    value = found["value"].strip() if found else ""
    if not value:
        return ""
    if number := written_number(value):
        return f"; say {number}"
    if value.lower() in ("true", "false", "yes", "no", "on", "off"):
        return f"; say {'true' if value.lower() in ('true', 'yes', 'on') else 'false'}"
    if value.lower() in ("none", "null", "nil"):
        return "; leave the key out"
    return f'; put texts in quotes: "{shortened(value, 60)}"' if value[0].isalpha() else ""


def written_number(text: str) -> str:
    """A number that lacks digits around its point, such as ``.05`` or ``5.``, as TOML has it; "" for other texts."""
    found = re.fullmatch(r"([+-]?)(\d*)\.(\d*)((?:[eE][+-]?\d+)?)", text.strip())
    if found is None or bool(found[2]) == bool(found[3]):
        return ""
    return f"{found[1]}{found[2] or '0'}.{found[3] or '0'}{found[4]}"


def validate(
    kind: type[T],
    path: str,
    values: dict[str, Any],
    complain: Complain,
    also: Sequence[str] = (),
    elsewhere: Callable[[str], str] = lambda key: "",
) -> T | None:
    """A table as its class, or None after complaining of everything in it.

    also: keys that other readers of the table know. elsewhere: says of an unknown key where it would be at home, or "".
    """
    known = [*kind.model_fields, *also]

    def unknown(key: str) -> str:
        return f"unknown key {quoted(key)}{meant(key, known, elsewhere)}"

    def dotted(key: str) -> str:
        return ".".join(part for part in (path, key) if part)

    try:
        return kind(**values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            place = detail["loc"]
            key = str(place[0]) if place else ""
            if detail["type"] == "extra_forbidden":
                complain(dotted(key), unknown(key))
            elif detail["type"] == "missing":
                complain(dotted(key), f"missing; expected {parameters(kind)[key].expected}")
            elif key in kind.model_fields and detail["type"] != "value_error":
                found = detail["input"]
                number = written_number(found) if isinstance(found, str) else ""
                hint = f"; say {number}" if number else ""
                complain(dotted(key), f"expected {parameters(kind)[key].expected}, found {shown(found)}{hint}")
            else:
                complain(dotted(key), str(detail["msg"]).removeprefix("Value error, "))
    except TypeError:  # a key that is no identifier of ours, such as "self"
        for key in values:
            if key not in kind.model_fields:
                complain(dotted(key), unknown(key))
    return None


def meant(key: str, known: Sequence[str], elsewhere: Callable[[str], str] = lambda key: "") -> str:
    """What an unknown key stands for: at home in another table, called otherwise in other programs, or mistyped."""
    name = KEYS.get(key.lower(), "")
    if name in known:
        return f"; did you mean '{name}'?"
    home = elsewhere(key) or (elsewhere(name).replace("it belongs", f"'{name}' belongs", 1) if name else "")
    return home or nearest(key, known)


def shown(value: Any) -> str:
    """A value as it stands in a message, not too long."""
    try:
        text = repr(value) if isinstance(value, str) else as_toml(value)
    except ValueError:  # an integer too long to print
        return "a very long number"
    return text if len(text) <= 60 else text[:57] + "…"
