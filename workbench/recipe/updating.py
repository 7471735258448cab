"""A TOML text with other values: comments, order and the way in which unchanged values are written stay."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import tomli_w
import tomlkit
from tomlkit.exceptions import TOMLKitError

from workbench.storage import toml
from workbench.visible import in_quotes


def updated(text: str, own: dict[str, Any], whole: dict[str, Any]) -> str:
    """The text with the values of some tables; "" where it cannot be brought to hold them.

    own: what must be there. whole: what may stay where it stands in the text already, as it says nothing else.
    """
    try:
        toml.loads(text)  # none that would take minutes
        document = tomlkit.parse(text)
        _update(document, own, whole)
        return tomlkit.dumps(document).rstrip("\n") + "\n"
    except (TOMLKitError, ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
        return ""


def _update(table: MutableMapping[str, Any], own: dict[str, Any], whole: dict[str, Any]) -> None:
    for key in [key for key in table if key not in whole]:
        del table[key]
    for key, value in whole.items():
        present = table.get(key)
        if isinstance(value, dict) and isinstance(present, MutableMapping):
            _update(present, own.get(key, {}), value)
        elif key in table:
            if not _same(_plain(present), value):
                table[key] = _item(key, value)
        elif key in own:
            table[key] = _item(key, own[key])


def _plain(value: Any) -> Any:
    return value.unwrap() if hasattr(value, "unwrap") else value


def _same(left: Any, right: Any) -> bool:
    """Whether two values read as the same one: 1 and 1.0 do, true and 1 do not."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return (
        isinstance(left, bool) == isinstance(right, bool)
        and bool(left == right)
        and ("-" in str(left)) == ("-" in str(right))
    )


def _item(key: str, value: Any) -> Any:
    """A value as the other writer writes it."""
    after = "\n" if isinstance(value, dict) else ""  # a table ends with an empty line: another may follow
    return tomlkit.parse(in_quotes(tomli_w.dumps({key: value})) + after)[key]
