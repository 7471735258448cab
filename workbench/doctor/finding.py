"""A finding: what is there, what it means, what to do. Torch-free."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warn", "broken"]
"""ok: as it should be; note: good to know; warn: something is to be done; broken: training here fails or misleads."""

GROUPS = (
    "GPU driver and torch",
    "GPUs",
    "speed",
    "graph and compiler",
    "disks",
    "cores and memory",
    "terminal",
    "versions",
    "selftest",
)
"""In the order in which they are printed."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    remedy: what to do, "" where nothing is to be done; a "warn" or "broken" one always has it, an "ok" one never.
    """

    group: str
    name: str
    level: Level
    found: str
    meaning: str = ""
    remedy: str = ""


def summary(findings: Iterable[Finding]) -> str:
    """The last line: how many there are of each level, and the names of those that want something."""
    found = list(findings)
    counts = Counter(each.level for each in found)
    text = f"{len(found)} looked at: {counts['ok'] + counts['note']} fine"
    said: tuple[tuple[Level, str], ...] = (("warn", "to look at"), ("broken", "broken"))
    for level, words in said:
        if counts[level]:
            names = ", ".join(dict.fromkeys(each.name for each in found if each.level == level))
            text += f"; {counts[level]} {words}: {names}"
    return text


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version's text, to be compared: (3, 2) for "3.2a"."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def broken(findings: Iterable[Finding]) -> bool:
    """Whether anything is broken."""
    return any(each.level == "broken" for each in findings)
