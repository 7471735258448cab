"""The texts of the Profile screen: the step as a bar of phases, ceilings, verdict, what was tried, operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from workbench.events import PhasesMeasured
from workbench.format import bare, file_size, milliseconds, percent
from workbench.profiling.operators import OperatorTable
from workbench.profiling.report import (
    LETTERS,
    PHASES,
    Phases,
    Process,
    Report,
    Suggestion,
    Throughput,
    Transform,
    Trial,
)
from workbench.profiling.stack_tree import StackWindow
from workbench.tui.common.texts import MUTED, Part
from workbench.tui.common.words import cut, throughput
from workbench.tui.profile.bars import ceilings

COLOURS = {
    "data wait": "$error",
    "transfer": "$warning",
    "augment": "$secondary",
    "forward": "$primary",
    "backward": "$primary-darken-2",
    "optimizer": "$success",
    "other": "$muted",
}
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Piece:
    """A phase of the step, or what no phase explains: seconds, and its share of the step."""

    name: str
    seconds: float
    share: float

    @property
    def letter(self) -> str:
        """What stands for it where there is no colour or little room."""
        return LETTERS.get(self.name, "?")


def pieces(phases: Phases | PhasesMeasured) -> list[Piece]:
    """The phases that took time, in their order, and last what they leave unexplained; none of a step of 0 s."""
    whole = max(phases.step_seconds, sum(phases.seconds.values()))
    if whole <= 0:
        return []
    found = [Piece(name, phases.seconds.get(name, 0.0), phases.seconds.get(name, 0.0) / whole) for name in PHASES]
    rest = whole - sum(piece.seconds for piece in found)
    return [piece for piece in [*found, Piece(UNEXPLAINED, rest, rest / whole)] if piece.share >= 0.0005]


def widths(parts: Sequence[Piece], room: int) -> list[int]:
    """Cells of the bar for each piece, together exactly ``room``; rounded so that the largest remainders win."""
    exact = [piece.share * room for piece in parts]
    cells = [int(value) for value in exact]
    order = sorted(range(len(parts)), key=lambda i: cells[i] - exact[i])
    for number in order[: room - sum(cells)]:
        cells[number] += 1
    return cells


def step_bar(parts: Sequence[Piece], room: int, *, ascii: bool = False) -> list[Content]:
    """The bar in two lines: each phase in its colour and width, its name above, its share below.

    ascii: its letter repeated. Without colours the edge and the name or letter at the start tell phases apart.
    """
    above: list[Part] = []
    below: list[Part] = []
    for piece, cells in zip(parts, widths(parts, room), strict=True):
        if ascii:
            above.append(piece.letter * cells)
            below.append(piece.letter * cells)
            continue
        colour = COLOURS.get(piece.name)
        style = f"$background on {colour}" if colour else f"{MUTED} on $panel"
        edge = "▏" if above and cells > 2 else " "
        names = (f"{edge}{piece.name}", f"{edge}{piece.letter}")
        name = next((text for text in names if len(text) < cells), piece.letter[:cells])
        shares = (f"{edge}{percent(piece.share, 1)}", f"{edge}{percent(piece.share, 0)}", edge)
        share = next((text for text in shares if len(text) < cells), "")
        above.append((f"{name:<{cells}}", f"bold {style}"))
        below.append((f"{share:<{cells}}", style))
    return [Content.assemble(*above), Content.assemble(*below)]


def legend(parts: Sequence[Piece], room: int) -> Content:
    """Every phase with its letter, milliseconds and share, in columns of one width."""
    entries = []
    for piece in parts:
        colour = COLOURS.get(piece.name, MUTED)
        name, took = (f"{piece.letter} ", f"bold {colour}"), f"{piece.name} {milliseconds(piece.seconds)}"
        entries.append(
            Content.assemble(name, took, (f" {percent(piece.share, 0 if piece.share >= 0.0995 else 1)}", MUTED))
        )
    return in_columns(entries, room)


def nothing_measured(key: str, recipe: str) -> Content:
    """What the empty screen says. key: that measures the recipe."""
    return Content.assemble(
        (key, "bold $primary"),
        f" measures where the time of {recipe} goes and what to change; "
        "a run that is being trained shows its steps here by itself.",
    )


def nothing_sampled(key: Callable[[str], str], *, live: bool) -> tuple[str, str]:
    """What stands for stacks and for operators before there are any. key: of an action; live: a run is at work."""
    of = "the running training" if live else "a running training"
    start = "" if live else f"\n{key('compose.run')} in Compose trains the recipe."
    stacks = f"{key('profile.stacks')} samples the Python stacks of {of}.{start}\n"
    stacks += f"Loader workers do not show in them; {key('profile.measure')} measures what they do (Parts)."
    return stacks, f"{key('profile.trace')} traces some steps of {of}.{start}"


def about_stacks(window: StackWindow | None, *, own: bool) -> str:
    """Whose code the stacks show, and how long was sampled; "" without any."""
    code = "your code" if own else "all code"
    return f"{code} · {window.steps:,} steps, {window.seconds:.1f} s" if window else ""


def in_columns(entries: Sequence[Content], room: int, gap: int = 2) -> Content:
    """Entries line by line, in as many columns as there is room for."""
    for count in range(len(entries), 0, -1):
        columns = [max(entry.cell_length for entry in entries[start::count]) + gap for start in range(count)]
        if sum(columns) - gap <= room or count == 1:
            lines = [entries[start : start + count] for start in range(0, len(entries), count)]
            return Content("\n").join(
                Content("").join([e.pad_right(w - e.cell_length) for e, w in zip(line, columns, strict=False)]).rstrip()
                for line in lines
            )
    return Content("")


def step_caption(of: Sequence[Part], phases: Phases | PhasesMeasured) -> Content:
    """Over the bar: whose step, how long it is, how it was measured and what that cost.

    Of steps that ran without their graph, how long a recorded one takes comes before that.
    """
    which = "" if phases.every == 1 else f" (1 in {phases.every})"
    how = f"  {phases.samples} steps{which}, cost {percent(phases.cost, 1)}"
    parts: list[Part] = [*of, "  ", (milliseconds(phases.step_seconds), "bold")]
    if phases.recorded_seconds:
        ratio = phases.step_seconds / phases.recorded_seconds
        parts += [(" without its graph", "$warning"), ", "]
        parts += [(milliseconds(phases.recorded_seconds), "bold"), f" with it ({ratio:.1f}×)"]
    else:
        parts += [" a step"]
    return Content.assemble(*parts, (how, MUTED))


def shared_with(others: Sequence[str]) -> str:
    """That a run has its GPU not to itself, in one line; "" if it has."""
    if not others:
        return ""
    count = "another process" if len(others) == 1 else f"{len(others)} other processes"
    return f"The GPU is shared with {count}, so steps take longer: {', '.join(others)}"


def changed_to(changes: Mapping[str, Any]) -> str:
    """What a change makes of a recipe: ``data.workers = 2, no cutout``."""
    words = []
    for path, value in changes.items():
        name = path.removeprefix("techniques.").removesuffix(".enabled")
        switch = path.startswith("techniques.") and "." not in name
        if switch and value is True and any(p != path and p.startswith(f"techniques.{name}.") for p in changes):
            continue  # its parameters name it
        if value is None or (switch and value is False):
            words.append(f"no {name}")
        else:
            words.append(name if switch and value is True else f"{name} = {bare(value)}")
    return ", ".join(words)


def verdict(
    report: Report,
    room: int,
    keys: Mapping[str, str],
    *,
    kept: bool,
    airy: bool,
    ascii: bool = False,
    trying: Content | None = None,
) -> Content:
    """Ceilings, the verdict in its sentence, the one suggestion, what came of trying it, notes.

    room: cells of a line. airy: with empty lines between them. trying: what is known of the change while it is tried.
    """
    between = "\n" if airy else ""
    count = "1 worker" if report.workers == 1 else f"{report.workers} workers"
    workers = f", {count}" if report.pipeline == "loader" else ""
    head = f"{report.recipe} on {report.device}, {report.pipeline} pipeline{workers}, batch {report.batch_size}\n"
    parts: list[Part] = [(head, MUTED), ceilings(report, room, ascii=ascii), between]
    parts += [(f"{report.bound.capitalize()}-bound. " if report.bound != "unclear" else "", "bold $accent")]
    parts += [(report.sentence, "bold"), "\n"]
    trial = report.trials[-1] if report.trials else None
    if trying is not None:
        parts += [between, trying]
    elif trial is not None:
        parts += [between, *_tried(trial, keys["keep"], kept=kept)]
    elif report.suggestion is not None:
        parts += [between, *_suggested(report.suggestion, report.end_to_end, keys["try"])]
    elif report.bound == "unclear":
        parts += [between, ("Try: ", "bold $success"), "Measure again when the machine is quieter.\n"]
    else:
        parts += [between, "Nothing that is known to change would make it faster.\n"]
    for note in report.notes:
        parts += [between, (f"• {note}\n", MUTED)]
    return Content.assemble(*parts).rstrip()


def _suggested(suggestion: Suggestion, now: Throughput, key: str) -> list[Part]:
    parts: list[Part] = [("Try: ", "bold $success"), suggestion.sentence]
    parts += [(f" ({changed_to(suggestion.changes)})", MUTED), "\n", (f"{key} ", "bold $primary"), "tries it"]
    if suggestion.predicted is not None and now.images_per_second > 0:
        gain = suggestion.predicted / now.images_per_second
        return [*parts, f"; predicted {throughput(suggestion.predicted)} ({gain:.2f}×)\n"]
    return [*parts, "; how much it gains cannot be predicted\n"]


def _tried(trial: Trial, key: str, *, kept: bool) -> list[Part]:
    better, worse = trial.low > 1, trial.high < 1
    colour = "$success" if better else "$error" if worse else "$warning"
    parts: list[Part] = [("Tried: ", f"bold {colour}"), (changed_to(trial.changes), "bold"), "\n"]
    parts += [(f"{trial.sentence}\n", f"bold {colour}")]
    if kept:
        return [*parts, ("✓ kept in the recipe\n", "$success")]
    said = "keeps it in the recipe" if better else "keeps it in the recipe all the same"
    return [*parts, (f"{key} ", "bold $primary"), f"{said}\n"]


def parts_of(report: Report, *, ascii: bool = False) -> Content:
    """What a batch is made of in a worker, the processes, the GPU, the evaluations."""
    sections = [_transforms(report.transforms, "#" if ascii else "▮")] if report.transforms else []
    sections += [_processes(report.processes)] if report.processes else []
    last: list[Part] = []
    if report.gpu is not None:
        gpu = report.gpu
        busy = f"{percent(gpu.utilisation, 0)} busy, " if gpu.utilisation is not None else ""
        last += [("GPU ", "bold"), f"{gpu.name}: {busy}memory {file_size(gpu.peak)} at its peak, "]
        last += [f"{file_size(gpu.reserved)} reserved of {file_size(gpu.total)}\n"]
    last += [
        ("Evaluation ", "bold"),
        f"{percent(report.evaluation_share, 1)} of a run's time\n",
        (report.machine, MUTED),
    ]
    return Content("\n\n").join([*sections, Content.assemble(*last)])


def _transforms(transforms: Sequence[Transform], sign: str) -> Content:
    width = max(len(entry.name) for entry in transforms)
    parts: list[Part] = [("What makes a batch, image by image\n", "bold")]
    for entry in sorted(transforms, key=lambda entry: -entry.share):
        parts += [f"{entry.name:<{width}} {entry.seconds_per_image * 1e6:>9,.1f} µs"]
        parts += [(f" {percent(entry.share, 1):>7} ", MUTED), (sign * round(entry.share * 16), "$warning"), "\n"]
    said = "One loader worker's work, measured in the measuring process: no profiler sees into workers."
    return Content.assemble(*parts, (said, MUTED))


def _processes(processes: Sequence[Process]) -> Content:
    width = max(len("Processes"), *(len(entry.name) for entry in processes))
    parts: list[Part] = [(f"{'Processes':<{width}}   cores     memory", "bold")]
    for entry in processes:
        parts.append(f"\n{entry.name:<{width}}  {entry.cores:>6.2f}  {file_size(entry.memory):>9}")
    return Content.assemble(*parts)


def operators(table: OperatorTable, room: int) -> Content:
    """The operators of a trace, the longest first."""
    kind = "GPU" if table.device else "CPU"
    head = f"{'share':>7} {kind + ' a step':>11} {'calls':>6}  operator\n"
    parts: list[Part] = [(f"{table.steps} steps up to step {table.step:,}; ", MUTED)]
    parts += [("times include the tracer's own\n", MUTED), (head, "bold")]
    for entry in table.operators:
        taken = milliseconds(entry.device if table.device else entry.cpu)
        parts += [(f"{percent(entry.share, 1):>7}", "$primary"), f" {taken:>11} {entry.calls:>6.4g}  "]
        parts.append(f"{cut(entry.name.removeprefix('aten::'), max(8, room - 28))}\n")
    return Content.assemble(*parts).rstrip()
