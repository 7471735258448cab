"""A change tried: both recipes trained in turns, window by window, so that the machine's moods meet both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from workbench.engine.build import Build, BuildError, build
from workbench.out_of_memory import out_of_memory
from workbench.profiling.costs import evaluation_seconds, evaluation_share
from workbench.profiling.parts import CachedPipeline, Training, working_copy
from workbench.profiling.report import MeasuringProgress, Suggestion, Trial
from workbench.profiling.throughput import throughput
from workbench.profiling.verdict import DISTURBED
from workbench.recipe import Recipe

PAIRS = 5
PROBES = 3
"""Pairs of windows in a trial, and in a quick look at the network alone; odd, so that one of them is the median."""


def compare(
    before: Build, after: Build, suggestion: Suggestion, seconds: float, folder: Path
) -> Iterator[MeasuringProgress | Trial]:
    """Train working copies of both in turns, ``seconds`` each in all; the last item is the trial.

    Where the change is one of evaluation, throughputs are those of the whole run, evaluations reckoned in.
    """
    parts = [Training(working_copy(build), seconds / PAIRS, folder) for build in (before, after)]
    factors = [1.0, 1.0]
    try:
        pairs: list[tuple[float, float]] = []
        for pair in range(PAIRS):
            gains = [b / a for a, b in pairs]
            yield MeasuringProgress(f"trying the change, pair {pair + 1} of {PAIRS}", pair / PAIRS, gains=gains)
            a, b = (part.window().images_per_second for part in parts)
            pairs.append((a, b))
        disturbed = max(median(window.disturbed for window in part.windows) for part in parts)
        if "train.eval_every" in suggestion.changes:
            factors = [
                1
                - evaluation_share(build, evaluation_seconds(build), median(w.images_per_second for w in part.windows))
                for build, part in zip((before, after), parts, strict=True)
            ]
    finally:
        for part in parts:
            part.close()
    found = trial(suggestion, [(a * factors[0], b * factors[1]) for a, b in pairs], disturbed)
    said = "".join(f" {note[:1].upper()}{note[1:]}." for note in parts[1].notes)  # that it could not be had, and why
    yield replace(found, sentence=found.sentence + said)


def network_gain(before: Build, changed: Recipe, data_root: Path, seconds: float) -> float:
    """The network alone of a changed recipe, divided by that of a build; windows in turns. 0 if it cannot be built."""
    try:
        after = build(changed, before.device, data_root)
    except (BuildError, RuntimeError) as error:
        if not isinstance(error, BuildError) and not out_of_memory(error):
            raise
        return 0.0
    batch, steps = before.pipeline.batch(0, 0), len(before.pipeline)
    with TemporaryDirectory() as folder:
        parts = [
            Training(working_copy(each, CachedPipeline(batch, steps)), seconds / PAIRS, Path(folder))
            for each in (before, after)
        ]
        try:
            pairs = [[part.window().undisturbed for part in parts] for _ in range(PROBES)]
        finally:
            for part in parts:
                part.close()
            after.close()
    return median(b / a for a, b in pairs)


def trial(suggestion: Suggestion, pairs: list[tuple[float, float]], disturbed: float = 0.0) -> Trial:
    """What pairs of throughputs, before and after, say about a change: the median of their gains.

    disturbed: the share of the time in which other programs kept the more disturbed of the two from the processor.
    """
    by_gain = sorted(pairs, key=lambda pair: pair[1] / pair[0])
    middle = by_gain[(len(pairs) - 1) // 2]
    low, gain, high = (b / a for a, b in (by_gain[0], middle, by_gain[-1]))
    before = replace(throughput([a for a, _ in pairs]), images_per_second=middle[0])
    after = replace(throughput([b for _, b in pairs]), images_per_second=middle[1])
    found = (
        f"{before.images_per_second:,.0f} → {after.images_per_second:,.0f} images/s: "
        f"{gain:.2f}× (median of {len(pairs)} pairs, {low:.2f}–{high:.2f})"
    )
    if low > 1:
        verdict = "faster"
    elif high < 1:
        verdict = "slower; leave the recipe as it is" if disturbed < DISTURBED else "slower"
    else:
        verdict = "no clear gain"
    if disturbed >= DISTURBED:
        verdict += f", while other programs kept it from the processor for {100 * disturbed:.0f} % of its time"
    return Trial(suggestion.changes, before, after, gain, low, high, f"{found}, {verdict}.")
