"""The operators of a trace as plain values: what ``profile/operators.json`` holds. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from workbench.storage.digest import seal, unseal
from workbench.storage.regular import MIDDLING, read_bytes
from workbench.storage.values import Count, Finite


@dataclass(frozen=True)
class Operator:
    """What one kind of operator took, in seconds a step, time in operators that it called left out.

    calls: a step. share: of all operators, by time on the GPU where there is one, else on the CPU.
    """

    name: str
    calls: Finite
    cpu: Finite
    device: Finite
    share: Finite


@dataclass(frozen=True)
class OperatorTable:
    """The operators of ``steps`` traced steps that ended with ``step``, the longest first.

    device: whether GPU time was seen.
    """

    step: Count
    steps: Count
    device: bool
    operators: tuple[Operator, ...]


_ADAPTER = TypeAdapter(OperatorTable)


def write_operators(path: Path, table: OperatorTable) -> None:
    """Write what :func:`read_operators` reads."""
    path.write_text(seal(json.dumps(asdict(table), indent=1)) + "\n", encoding="utf-8")


def read_operators(path: Path) -> OperatorTable | None:
    """The table in a file; None where there is none, or something else."""
    try:
        return _ADAPTER.validate_json(unseal(read_bytes(path, MIDDLING)), strict=True)
    except (OSError, ValueError):
        return None


def table_of(step: int, steps: int, measured: Sequence[tuple[str, int, float, float]], most: int = 60) -> OperatorTable:
    """Name, calls, seconds on the CPU and on the GPU of each operator over all steps, sorted; at most ``most``."""
    device = any(on_device > 0 for _, _, _, on_device in measured)
    total = sum(on_device if device else cpu for _, _, cpu, on_device in measured) or 1.0
    found = [
        Operator(name, calls / steps, cpu / steps, on_device / steps, (on_device if device else cpu) / total)
        for name, calls, cpu, on_device in measured
    ]
    found.sort(key=lambda operator: -operator.share)
    return OperatorTable(step, steps, device, tuple(found[:most]))
