"""A whole profile: build a recipe, measure its parts on copies, judge, and try the change that the verdict suggests."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from workbench.cores import usable_cores
from workbench.devices import busy
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.threads import use_threads
from workbench.precision import native_formats
from workbench.profiling.ceilings import Ceilings, Measurement, Turn
from workbench.profiling.costs import evaluation_seconds, evaluation_share, transforms
from workbench.profiling.parts import CachedPipeline, Training, working_copy
from workbench.profiling.report import READING, MeasuringProgress, Report, Transform, Trial
from workbench.profiling.suggestions import changed, suggest
from workbench.profiling.syncs import found_syncs
from workbench.profiling.trial import compare, network_gain
from workbench.profiling.verdict import DISTURBED, Evidence, agreed, sentence
from workbench.recipe import Recipe

SECONDS = 4.0
"""How long each part is measured, in all its windows."""


def profile(
    recipe: Recipe,
    device: str,
    data_root: Path,
    *,
    machine: str = "",
    seconds: float = SECONDS,
    try_it: bool = False,
    known: Report | None = None,
) -> Iterator[MeasuringProgress | Report]:
    """Measure a recipe on a device, nothing of it written anywhere; the last item is the report.

    machine: what it is called in the report. try_it: measure the suggested change too. known: a report of this recipe
    on this device, whose suggestion is tried with nothing measured anew. Raises RecipeError, DataError, BuildError,
    TechniqueError or ProfileError.
    """
    recipe, substitutes = resolve_for_device(recipe, device)
    notes = [*substitutes, *_surroundings(device)]
    part = 0.0 if known else 0.5 if try_it else 1.0
    with backend(recipe, device), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        yield MeasuringProgress("building", 0.0)
        built = build(recipe, device, data_root)
        try:
            use_threads(built)
            report = known
            for item in [] if known else _measured(built, data_root, machine, seconds, folder):
                if isinstance(item, MeasuringProgress):
                    yield replace(item, share=part * item.share)
                else:
                    report = replace(item, notes=[*notes, *item.notes])
            assert report is not None
            if try_it and report.suggestion is not None:
                yield MeasuringProgress("building the change", part)
                other = build(changed(recipe, report.suggestion.changes), device, data_root)
                try:
                    for found in compare(built, other, report.suggestion, 2 * seconds, folder):
                        if isinstance(found, Trial):
                            report = replace(report, trials=[found])
                        else:
                            yield replace(found, share=part + (1 - part) * found.share)
                finally:
                    other.close()
        finally:
            built.close()
    yield report


def _measured(
    built: Build, data_root: Path, machine: str, seconds: float, folder: Path
) -> Iterator[MeasuringProgress | Report]:
    measurement = Measurement(built, seconds, folder)

    def clear(found: Ceilings) -> bool:
        evidence = _evidence(built, found, [], 0.0, Standstill())
        return agreed(*_judged(evidence, found.turns)) != "unclear"

    try:
        for progress in measurement.run(clear):
            yield replace(progress, share=0.85 * progress.share)
    finally:
        measurement.close()
    ceilings = measurement.found()
    built.pipeline.close()
    yield MeasuringProgress("each transform", 0.85)
    found = transforms(built, seconds / 4)
    yield MeasuringProgress("evaluation", 0.93)
    share = evaluation_share(built, evaluation_seconds(built), ceilings.end_to_end.images_per_second)
    evidence = _evidence(built, ceilings, found, share, _syncs(built, seconds / 16, folder))
    undisturbed, turns = _judged(evidence, ceilings.turns)
    limit = agreed(undisturbed, turns)
    yield MeasuringProgress("what could be changed", 0.96)
    probe = partial(network_gain, built, data_root=data_root, seconds=seconds)
    parts = replace(evidence, loader=undisturbed.loader, compute=undisturbed.compute)
    suggestion = suggest(parts, built.recipe, limit, probe)
    yield Report(
        recipe=built.recipe.name,
        device=str(built.device),
        machine=machine,
        pipeline=evidence.pipeline,
        workers=evidence.workers,
        batch_size=evidence.batch_size,
        end_to_end=ceilings.end_to_end,
        loader=ceilings.loader,
        compute=ceilings.compute,
        phases=ceilings.phases,
        bound=limit,
        sentence=sentence(evidence, limit, turns),
        suggestion=suggestion,
        loader_alone=ceilings.loader_alone,
        transforms=found,
        processes=ceilings.processes,
        gpu=ceilings.gpu,
        evaluation_share=share,
        notes=[*ceilings.notes, *_remarks(evidence)],
    )


def _evidence(
    built: Build, found: Ceilings, transforms: list[Transform], evaluation: float, waits: Standstill
) -> Evidence:
    data = built.recipe.data
    overlapped = data.pipeline == "loader" and data.workers > 0
    epoch_seconds = len(built.training) / found.end_to_end.images_per_second
    dearest = max((t for t in transforms if t.name != READING), key=lambda t: t.share, default=None)
    return Evidence(
        on_gpu=built.device.type == "cuda",
        pipeline=data.pipeline,
        workers=data.workers if data.pipeline == "loader" else 0,
        batch_size=data.batch_size,
        cores=usable_cores(),
        end_to_end=found.end_to_end.images_per_second,
        loader=found.loader.images_per_second,
        compute=found.compute.images_per_second,
        phases=found.phases,
        loader_alone=found.loader_alone.images_per_second if found.loader_alone else None,
        device_loader=found.device_loader.images_per_second if found.device_loader else None,
        batch_scaling=found.batch_scaling,
        idle_share=found.idle_share,
        idle_share_whole=found.idle_share_whole,
        disturbed=found.disturbed,
        loader_cpu=found.loader_cpu,
        compute_cpu=found.compute_cpu,
        syncs=waits.places,
        sync_share=waits.share,
        gpu_use=found.gpu.utilisation if found.gpu else None,
        evaluation_share=evaluation,
        begin_share=min(0.99, found.begin_seconds / epoch_seconds) if overlapped else 0.0,
        memory_share=found.gpu.reserved / found.gpu.total if found.gpu else 0.0,
        memory_retries=found.retries,
        dearest_transform=dearest.name if dearest else "",
        dearest_share=dearest.share if dearest else 0.0,
        bf16="bf16" in native_formats(built.device),
    )


def _judged(e: Evidence, turns: Sequence[Turn]) -> tuple[Evidence, list[Evidence]]:
    """The evidence without what other programs took of the time: of all turns together, and of each."""
    each = [replace(e, **asdict(turn)) for turn in turns]
    medians = {name: median(getattr(turn, name) for turn in turns) for name in ("end_to_end", "loader", "compute")}
    return replace(e, **medians), each


@dataclass(frozen=True)
class Standstill:
    """Where steps wait for the GPU, the dearest places first, and the share of their time that all of them take."""

    places: tuple[str, ...] = ()
    share: float = 0.0


def _syncs(built: Build, seconds: float, folder: Path) -> Standstill:
    """Look at the steps of a copy on one batch, on the device pipeline with its augmentation."""
    if built.device.type != "cuda":
        return Standstill()
    cached = CachedPipeline(built.pipeline.batch(0, 0), len(built.pipeline))
    own = built.recipe.data.pipeline == "device"  # its batches are made in the step; a loader's come from elsewhere
    part = Training(working_copy(built, None if own else cached), seconds, folder)
    try:
        part.window()  # the training begins, and each technique takes its first step
        began = time.perf_counter()
        with found_syncs(built.device) as waits:
            part.window()
        whole = time.perf_counter() - began
    finally:
        part.close()
    places = tuple(f"{place} ({waited.count}×)" for place, waited in waits.dearest())
    return Standstill(places, min(1.0, waits.seconds / whole))


def _surroundings(device: str) -> list[str]:
    """What else the machine does, before anything is measured."""
    notes = []
    load, cores = os.getloadavg()[0], usable_cores()
    if load > 0.25 * cores:
        notes.append(f"the machine was not idle before: load {load:.1f} on {cores} cores")
    if warning := busy(device):
        notes.append(warning)
    return notes


def _remarks(e: Evidence) -> list[str]:
    notes = []
    if e.disturbed >= DISTURBED:
        notes.append(
            f"other programs kept the training from the processor for {100 * e.disturbed:.0f} % of its time: figures "
            "are lower than on an idle machine"
        )
    if e.overlapped:
        notes.append(
            "workers cannot be looked into: the transforms were timed in this process, as one worker does them"
        )
    if e.phases.samples == 0:
        notes.append("the steps were too few for their phases; measure longer with --seconds")
    return notes
