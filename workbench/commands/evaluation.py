"""What the last evaluation of a run said, for people: the confusion matrix, and the most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.color import Color
from rich.style import Style
from rich.text import Text

from workbench.commands.output import VisibleConsole, on_terminal, say, say_table, terminal_width
from workbench.evaluation.results import Mistake, Results, half_blocks
from workbench.filesystem import exists
from workbench.format import percent
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.results import load_results

MANY = 20
"""Beyond so many classes a matrix is unreadable, and the most frequent confusions are listed instead."""

CELLS = 32
"""Columns of a picture at most."""


def results_of(run: RunDirectory) -> Results:
    """A run's results. Raises RunError with one line where there are none."""
    if not exists(run.results_file):
        raise RunError(f"run '{run.name}' has no {run.results_file.name}: it is written after the last evaluation")
    return load_results(run.results_file)


def say_confusion(results: Results) -> None:
    """The matrix, true classes down and answers across, with each class's accuracy."""
    names, accuracies = results.classes, results.class_accuracy
    say(
        f"{results.split} accuracy {percent(results.accuracy)} of {results.images:,} images after step {results.step:,}"
    )
    if len(names) <= MANY:
        rows = [
            [names[label], percent(accuracies[label]), *(str(count) if count else "·" for count in row)]
            for label, row in enumerate(results.confusion)
        ]
        say_table(("true class", "accuracy", *(name[:6] for name in names)), rows)
        return
    say_table(
        ("times", "true class", "taken for"),
        [(str(times), names[label], names[answer]) for times, label, answer in results.confusions(MANY)],
    )
    say()
    worst = sorted((accuracy, label) for label, accuracy in enumerate(accuracies) if accuracy == accuracy)[:MANY]
    say_table(("worst classes", "accuracy"), [(names[label], percent(accuracy)) for accuracy, label in worst])


def say_mistakes(results: Results) -> None:
    """The most confident mistakes; on a terminal with their pictures, side by side, in half blocks."""
    if not results.mistakes:
        say(f"no mistakes among {results.images:,} images")
        return
    if not on_terminal():
        rows = [
            (str(m.index), results.classes[m.label], results.classes[m.predicted], percent(m.probability))
            for m in results.mistakes
        ]
        say_table(("image", "true class", "taken for", "probability"), rows)
        return
    across = max(1, (terminal_width() + 2) // (_columns(results) + 2))
    for start in range(0, len(results.mistakes), across):
        _say_row(results, results.mistakes[start : start + across])


def _columns(results: Results) -> int:
    return -(-results.width // _thin(results))


def _thin(results: Results) -> int:
    return -(-results.width // CELLS)


def _say_row(results: Results, mistakes: Sequence[Mistake]) -> None:
    console, columns = VisibleConsole(), _columns(results)
    captions = [
        (f"{results.classes[m.label]} #{m.index}", f"→ {results.classes[m.predicted]} {percent(m.probability, 1)}")
        for m in mistakes
    ]
    for line in range(2):
        say("  ".join(caption[line][:columns].ljust(columns) for caption in captions).rstrip())
    pictures = [_picture(m, results) for m in mistakes]
    for row in zip(*pictures, strict=True):
        console.print(Text("  ").join(row), soft_wrap=True)
    say()


def _picture(mistake: Mistake, results: Results) -> list[Text]:
    """A picture as lines; every n-th pixel of a large one."""
    step, size = _thin(results), 3 * results.width
    rows = [mistake.pixels[start : start + size] for start in range(0, len(mistake.pixels), size)][::step]
    pixels = b"".join(row[i : i + 3] for row in rows for i in range(0, size, 3 * step))
    return [
        Text.assemble(*(("▀", Style(color=_colour(upper), bgcolor=_colour(lower))) for upper, lower in row))
        for row in half_blocks(pixels, len(rows), _columns(results))
    ]


def _colour(colour: tuple[int, int, int]) -> Color:
    return Color.from_rgb(*colour)
