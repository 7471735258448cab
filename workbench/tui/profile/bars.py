"""Throughputs as bars on the Profile screen: the ceilings of a report, and what a measurement has found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median_low

from textual.content import Content

from workbench.profiling.report import MeasuringProgress, Report, Throughput
from workbench.tui.common.texts import MUTED, Part
from workbench.tui.common.words import throughput

FAR = 3.0
"""Times the end to end throughput at which the bars of the ceilings end."""


def ceilings(report: Report, room: int, *, ascii: bool = False) -> Content:
    """Each ceiling as a bar with its throughput and the spread of its windows; the end to end throughput as the last.

    What is far beyond the end to end throughput ends in an arrow: it limits nothing, and would press the others flat.
    """
    rows: list[Bar] = [("batches alone", report.loader, "$warning")]
    if report.loader_alone is not None:
        rows.append(("one worker", report.loader_alone, "$warning"))
    rows += [("network alone", report.compute, "$primary"), ("end to end", report.end_to_end, "$success")]
    return _bars(rows, room, ascii=ascii)


SO_FAR = {
    "loader alone": ("batches alone", "$warning"),
    "one worker alone": ("one worker", "$warning"),
    "network alone": ("network alone", "$primary"),
    "end to end": ("end to end", "$success"),
}
"""What a measurement calls its parts, and what the bars do."""


def so_far(progress: MeasuringProgress, room: int, keys: Mapping[str, str], *, ascii: bool = False) -> Content:
    """What a measurement that goes on has found: the throughputs as bars, or the gains of a change that is tried."""
    ends: list[Part] = ["\n", (keys["cancel"], "bold $primary"), " ends it"]
    if progress.gains:
        pairs = "pair" if len(progress.gains) == 1 else "pairs"
        found = f"{median_low(progress.gains):.2f}×"
        spread = f" (median of {len(progress.gains)} {pairs}, {min(progress.gains):.2f}–{max(progress.gains):.2f})"
        return Content.assemble(("The change so far: ", "bold"), (found, "bold"), (spread, MUTED), *ends)
    rows = [
        (SO_FAR[each.name][0], each.throughput, SO_FAR[each.name][1]) for each in progress.found if each.name in SO_FAR
    ]
    if not rows:
        said = "Batches alone, the network alone and both together are measured in turns; the first figures come soon."
        return Content.assemble((said, MUTED), *ends)
    head = ("So far, in images a second; the verdict comes when the windows agree\n", MUTED)
    return Content.assemble(head, _bars(rows, room, ascii=ascii), *ends[1:])


Bar = tuple[str, Throughput, str]
"""Its name, what it shows, its colour."""


def _bars(rows: Sequence[Bar], room: int, *, ascii: bool) -> Content:
    """The last row is the one that the others are measured by."""
    figures = [(throughput(entry.images_per_second), f"{entry.low:,.0f}–{entry.high:,.0f}") for _, entry, _ in rows]
    first, second = (max(len(pair[i]) for pair in figures) for i in (0, 1))
    cells = max(4, room - 14 - first - second - 3)
    most = min(max(entry.high for _, entry, _ in rows), FAR * rows[-1][1].high) or 1.0
    solid, spread, beyond = ("#", "+", ">") if ascii else ("█", "▒", "▶")
    parts: list[Part] = []
    for (name, entry, colour), (value, between) in zip(rows, figures, strict=True):
        full, more = (min(cells, round(value / most * cells)) for value in (entry.low, entry.high))
        bar = solid * full + spread * (more - full)
        bar = bar[:-1] + beyond if entry.high > most else bar
        parts += [(f"{name:<14}", ""), (bar.ljust(cells), colour)]
        parts += [(f" {value:>{first}}", "bold"), (f"  {between:>{second}}\n", MUTED)]
    return Content.assemble(*parts)
