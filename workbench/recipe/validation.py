"""What is wrong with a TOML text or a table of it, in words for people: shared by recipes and settings."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.recipe.cards import Table
from workbench.recipe.errors import Problem, nearest, quoted
from workbench.recipe.parameters import parameters

T = TypeVar("T", bound=Table)

Complain = Callable[[str, str], object]
"""Hears a dotted path and what is wrong there."""


def parse(text: str, where: str) -> dict[str, Any] | Problem:
    """The tables of a TOML text, or the one problem that keeps it from being read."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).partition(" (at line ")
        line = place.split(",")[0] if place else ""
        return Problem("", f"not readable as TOML: {message}", int(line) if line.isdigit() else None, where)
    except (RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Problem("", f"not readable as TOML: {reason}", None, where)


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
        return f"unknown key {quoted(key)}{elsewhere(key) or nearest(key, known)}"

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
                complain(dotted(key), f"expected {parameters(kind)[key].expected}, found {shown(detail['input'])}")
            else:
                complain(dotted(key), str(detail["msg"]).removeprefix("Value error, "))
    except TypeError:  # a key that is no identifier of ours, such as "self"
        for key in values:
            if key not in kind.model_fields:
                complain(dotted(key), unknown(key))
    return None


def shown(value: Any) -> str:
    """A value as it stands in a message, not too long."""
    try:
        text = repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:  # an integer too long to print
        return "a very long number"
    return text if len(text) <= 60 else text[:57] + "…"
