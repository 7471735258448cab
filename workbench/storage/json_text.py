"""JSON for files and pipes: what is not a number in JSON becomes null, text stays readable and harmless."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from workbench.visible import in_quotes


def dumps(value: Any, indent: int | None = None) -> str:
    r"""Valid JSON of plain values, dataclasses, tuples and paths; nan and infinity become null.

    What a terminal would obey is written as ``\u009b``.
    """
    return in_quotes(json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
