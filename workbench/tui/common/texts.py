"""Signs and texts that more than one screen shows, as styled content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from workbench.events import CheckFinished
from workbench.format import bare
from workbench.recipe import Change
from workbench.recipe.difference import ABSENT

Part = Content | str | tuple[str, str]

MUTED = "$muted"
NOTHING = Content("")
SIGNS = {
    "pass": ("✓", "$success"), "warn": ("!", "$warning"), "fail": ("✗", "$error"), "not judged": ("·", MUTED)
}  # fmt: skip
"""The sign and the colour of each verdict."""

STATES = {
    "queued": ("◌", "$muted"),
    "running": ("▶", "$success"),
    "paused": ("⏸", "$warning"),
    "finished": ("✓", "$success"),
    "stopped": ("■", "$warning"),
    "diverged": ("✗", "$error"),
    "failed": ("✗", "$error"),
    "stalled": ("!", "$warning"),
    "lost": ("✗", "$error"),
    "unknown": ("?", "$warning"),
}
"""The sign and the colour of each state of a run."""


def diff(found: Sequence[Change], room: int = 0) -> Content:
    """The diff from the recipe as loaded. room: cells of a line; where one is longer, values stand before keys."""
    if room and found and max(map(len, diff(found).plain.splitlines())) > room:
        return _values_first(found)
    parts: list[Part] = []
    for entry in found:
        path = entry.path.removeprefix("techniques.")
        if entry.before == ABSENT:
            parts += [("+ ", "$success"), (path, "bold"), f"  {bare(entry.after)}\n"]
        elif entry.after == ABSENT:
            parts += [("− ", "$error"), (path, "bold"), (f"  was {bare(entry.before)}\n", MUTED)]
        else:
            parts += [("~ ", "$accent"), (path, "bold"), "  ", (bare(entry.before), MUTED)]
            parts.append(f" → {bare(entry.after)}\n")
    return Content.assemble(*parts) if parts else Content.styled("no change from the recipe as loaded", MUTED)


def _values_first(found: Sequence[Change]) -> Content:
    parts: list[Part] = []
    for entry in found:
        name = entry.path.removeprefix("techniques.")
        name = name if "." not in name else name.rpartition(".")[2]
        if entry.before == ABSENT:
            parts += [("+ ", "$success"), (name, "bold"), f"  {bare(entry.after)}\n"]
        elif entry.after == ABSENT:
            parts += [("− ", "$error"), (name, "bold"), (f"  was {bare(entry.before)}\n", MUTED)]
        else:
            parts += [("~ ", "$accent"), (bare(entry.before), MUTED), f" → {bare(entry.after)}  ", (name, "bold"), "\n"]
    return Content.assemble(*parts)


def checks(found: Iterable[CheckFinished]) -> Content:
    """Name, verdict, expected, found and reason of each check, and what to do."""
    parts: list[Part] = []
    for check in found:
        sign, colour = SIGNS[check.verdict]
        raised = check.verdict in ("warn", "fail")
        parts += [(f"{sign} {check.name}  ", f"bold {colour}")]
        parts += [("not judged  ", MUTED)] if check.verdict == "not judged" else []
        parts += [check.found]
        if check.expected and check.expected != check.found:
            parts.append((f"  expected {check.expected}", MUTED))
        parts += ["\n", (check.reason, "" if raised else MUTED), "\n"]
        parts += [(f"→ {check.advice}\n", "" if raised else MUTED)] if check.advice and check.verdict != "pass" else []
    return Content.assemble(*parts)
