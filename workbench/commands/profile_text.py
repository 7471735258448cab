"""A profile for people: the step as one bar of phases, the ceilings as three, the verdict and the change to try."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench.events import PhasesMeasured, from_json
from workbench.format import bare, gib, milliseconds, percent
from workbench.profiling.report import LETTERS, PHASES, Phases, Report, Throughput
from workbench.storage.digest import unseal
from workbench.storage.regular import read_bytes


def lines(report: Report, width: int = 80) -> Iterator[str]:
    """The report as lines of at most ``width`` characters, sentences apart."""
    feeding = f"loader pipeline, {_workers(report.workers)}" if report.pipeline == "loader" else "device pipeline"
    yield f"{report.recipe} on {report.device} ({report.machine}): {feeding}, batches of {report.batch_size}"
    yield from (f"note: {note}" for note in report.notes)
    yield ""
    if report.phases.samples:
        yield from step_lines(report.phases, width)
        yield ""
    yield from _ceilings(report, width)
    yield from _machine(report)
    yield ""
    yield report.sentence
    if report.suggestion is not None:
        yield f"try: {report.suggestion.sentence}"
        yield f"     {_settings(report.suggestion.changes)}{_predicted(report)}"
        if not report.trials:
            yield "     --try trains with and without it in turns"
    elif report.bound == "unclear":
        yield "try: measure again when the machine is quieter, or longer, with --seconds"
    else:
        yield "nothing that we know to change would make it faster"
    for trial in report.trials:
        yield f"tried: {trial.sentence}"


def read_phases(folder: Path) -> Phases | None:
    """What a run's ``profile/phases.json`` says of its last seconds; None where it cannot be read."""
    try:
        found = from_json(unseal(read_bytes(folder / "phases.json")))
    except (OSError, ValueError):
        return None
    if not isinstance(found, PhasesMeasured):
        return None
    return Phases(found.step_seconds, found.seconds, found.samples, found.every, found.cost, found.recorded_seconds)


def step_lines(phases: Phases, width: int) -> Iterator[str]:
    """A mean step as one bar, and its phases one a line."""
    parts: dict[str, float] = {phase: phases.seconds.get(phase, 0.0) for phase in PHASES}
    parts["unexplained"] = max(0.0, phases.step_seconds - sum(parts.values()))
    whole = sum(parts.values())
    measured = f"{phases.samples} steps, 1 in {phases.every}; measuring took {percent(phases.cost)}"
    yield f"a step takes {milliseconds(phases.step_seconds)} ({measured})"
    if phases.recorded_seconds:
        ratio = phases.step_seconds / phases.recorded_seconds
        recorded = milliseconds(phases.recorded_seconds)
        yield f"  it ran without its graph; a recorded step takes {recorded}, {ratio:.1f} times as fast"
    yield f"  [{bar({LETTERS[name]: seconds / whole for name, seconds in parts.items()}, max(10, width - 4))}]"
    for name, seconds in parts.items():
        if seconds / whole >= 0.0005:
            yield f"  {LETTERS[name]} {name:<12}{milliseconds(seconds):>10}{percent(seconds / whole, 1):>9}"


def bar(shares: dict[str, float], width: int) -> str:
    """Letters in proportion to their shares, exactly ``width`` of them: each ends where its shares so far do."""
    text, total = "", 0.0
    for letter, share in shares.items():
        total += share
        text += letter * (round(min(1.0, total) * width) - len(text))
    return text


def _ceilings(report: Report, width: int) -> Iterator[str]:
    throughputs = {"batches alone": report.loader, "network alone": report.compute, "end to end": report.end_to_end}
    if report.loader_alone is not None:
        throughputs = {"one worker alone": report.loader_alone, **throughputs}
    most = max(throughput.images_per_second for throughput in throughputs.values())
    yield "images a second: median of the windows (lowest to highest)"
    for name, throughput in throughputs.items():
        text = f"  {name:<17}{throughput.images_per_second:>9,.0f}  {_span(throughput):<19}"
        yield f"{text} {'█' * max(1, round(throughput.images_per_second / most * max(5, width - len(text) - 1)))}"


def _machine(report: Report) -> Iterator[str]:
    if report.transforms:
        costs = (f"{t.name} {1e6 * t.seconds_per_image:,.1f} µs ({percent(t.share, 0)})" for t in report.transforms)
        yield f"an image in the making: {', '.join(costs)}"
    if report.processes:
        yield "cores busy: " + ", ".join(f"{p.name} {p.cores:.2f}" for p in report.processes)
    if (gpu := report.gpu) is not None:
        busy = "" if gpu.utilisation is None else f"{percent(gpu.utilisation, 0)} of the time busy, "
        memory = f"memory at most {gib(gpu.peak)}, {gib(gpu.reserved)} reserved of {gib(gpu.total)}"
        yield f"{gpu.name}: {busy}{memory}"
    yield f"evaluations: {percent(report.evaluation_share, 1)} of a whole run"


def _predicted(report: Report) -> str:
    assert report.suggestion is not None
    predicted = report.suggestion.predicted
    if predicted is None:
        return " (what it gains is not known before it is tried)"
    gain = predicted / report.end_to_end.images_per_second
    return f" (predicted: {predicted:,.0f} images/s, {gain:.2f}×)"


def _settings(changes: dict[str, object]) -> str:
    return " ".join(f"--set {path}={bare(value)}" for path, value in changes.items())


def _workers(count: int) -> str:
    return "no workers" if count == 0 else "1 worker" if count == 1 else f"{count} workers"


def _span(throughput: Throughput) -> str:
    return f"({throughput.low:,.0f} to {throughput.high:,.0f})"
