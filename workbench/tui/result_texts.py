"""What the last evaluation of a run said, class by class, and its mistakes as pictures."""

from __future__ import annotations

import base64

from textual.content import Content

from workbench.preview.protocol import Samples
from workbench.runs.results import Mistake, Results
from workbench.tui.words import cut, percent

Part = Content | str | tuple[str, str]

MUTED = "$muted"
TRUE = "true class"
NAME = 12
"""Cells for the name of a class at most."""
LISTED = 20
"""Lines of a list where the matrix has no room."""
BELOW = 8
"""Lines of the list below a matrix."""


def title(results: Results) -> str:
    """One line about the whole split."""
    said = f"{results.split} accuracy {percent(results.accuracy)} of {results.images:,} images"
    return f"{said}, after step {results.step:,}"


def classes(results: Results, room: int) -> Content:
    """The confusion matrix with each class's accuracy; the most frequent confusions where it has no room."""
    width = max(4, len(str(max((max(row) for row in results.confusion), default=0))) + 1)
    longest = min(NAME, max(map(len, results.classes)))
    names = max(len(TRUE), longest)
    cells = (room - names - 8) // len(results.classes)
    if cells < width:
        return _lists(results, longest)
    width = min(cells, 1 + max(width - 1, *map(len, results.classes)))
    parts: list[Part] = [(f"{TRUE:<{names}}{'right':>8}", "bold")]
    parts += [(f"{cut(name, width - 1):>{width}}", "bold") for name in results.classes]
    for label, row in enumerate(results.confusion):
        whole = sum(row) or 1
        parts += [f"\n{cut(results.classes[label], names):<{names}}", (f"{_right(results, label):>8}", "$primary")]
        for answer, count in enumerate(row):
            style = "bold $success" if answer == label else _wrong(count / whole)
            parts.append((f"{count if count else '·':>{width}}", style))
    if any(results.confusions(1)):
        parts += ["\n\n", *_most_frequent(results, longest, BELOW)]
    return Content.assemble(*parts)


def _right(results: Results, label: int) -> str:
    return percent(results.class_accuracy[label])


def _wrong(share: float) -> str:
    """The more of a class is taken for another, the louder."""
    return "bold $error" if share >= 0.05 else "$warning" if share >= 0.01 else MUTED


def _most_frequent(results: Results, names: int, most: int) -> list[Part]:
    parts: list[Part] = [("most frequent mistakes", "bold")]
    for times, label, answer in results.confusions(most):
        true, taken = (cut(results.classes[number], names) for number in (label, answer))
        parts += [f"\n{times:>5}× ", f"{true:<{names}}", (" taken for ", MUTED), taken]
    return parts


def _lists(results: Results, names: int) -> Content:
    """What is confused most often, and the classes that are recognised least."""
    parts = _most_frequent(results, names, LISTED)
    known = [(right, label) for label, right in enumerate(results.class_accuracy) if right == right]
    parts.append(("\n\nleast recognised", "bold"))
    for _, label in sorted(known)[:LISTED]:
        parts += [f"\n{_right(results, label):>6} ", cut(results.classes[label], names)]
    return Content.assemble(*parts)


def pictures(results: Results, count: int, side: int) -> Samples:
    """The most confident mistakes, each in ``side`` × ``side`` pixels: its class, what it was taken for, how surely."""
    shown = results.mistakes[:count]
    pixels = b"".join(_scaled(mistake, results, side) for mistake in shown)
    names = results.classes
    labels = [f"{names[m.label]} → {names[m.predicted]} {m.probability:.0%}" for m in shown]
    return Samples(0, side, base64.b64encode(pixels).decode("ascii"), labels)


def _scaled(mistake: Mistake, results: Results, side: int) -> bytes:
    columns = [3 * (x * results.width // side) for x in range(side)]
    rows = [3 * results.width * (y * results.height // side) for y in range(side)]
    return b"".join(mistake.pixels[row + column : row + column + 3] for row in rows for column in columns)
