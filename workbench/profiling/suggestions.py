"""The one change to try for what limits a training. Pure and torch-free."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from workbench.profiling.report import Bound, Suggestion
from workbench.profiling.verdict import Evidence, together
from workbench.recipe import Recipe, RecipeError, read_recipe, write_recipe
from workbench.recipe.execution import execution
from workbench.recipe.registries import TECHNIQUES

WORTH = 1.05
"""A predicted gain below this factor is not worth a change."""

QUIET_EVALUATION = 0.1
"""The share of a run that evaluations should not exceed."""


def changed(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """The recipe with the changes of a suggestion made. Raises RecipeError where they cannot stand in it."""
    for path, value in changes.items():
        if value is None:
            recipe = recipe.without_technique(path.removeprefix("techniques."))
    values = [f"{path}={json.dumps(value)}" for path, value in changes.items() if value is not None]
    return read_recipe(write_recipe(recipe), overrides=values)


Probe = Callable[[Recipe], float]
"""Measures a changed recipe's network alone: its throughput over the present one's; 0 where it cannot be built."""


def suggest(evidence: Evidence, recipe: Recipe, bound: Bound, probe: Probe | None = None) -> Suggestion | None:
    """The change that promises most, else the first that fits; None where none of those we know is left.

    What changes only the speed comes before what changes what the network learns. probe: to measure what other number
    formats promise, which differs from machine to machine.
    """
    for candidates in _CANDIDATES[bound]:
        found = [s for s in candidates(evidence, recipe) if _possible(s, recipe)]
        if candidates is _techniques_own and probe is not None:
            found = [_probed(s, evidence, recipe, probe) for s in found]
        promising = [s for s in found if s.predicted is not None and s.predicted >= WORTH * evidence.end_to_end]
        if promising:
            return max(promising, key=lambda s: s.predicted or 0.0)
        if unknown := [s for s in found if s.predicted is None]:
            return unknown[0]
    return None


def _promise(e: Evidence, loader: float, compute: float, *, overlapped: bool, now: Evidence | None = None) -> float:
    """The throughput to expect with other parts: what is measured now, times what the parts alone say of the change.

    So what slows both, such as other users of the machine, is not taken for something that the change would cure.
    """
    now = now or e
    present = together(now, now.loader, now.compute, overlapped=now.overlapped)
    return e.end_to_end * together(e, loader, compute, overlapped=overlapped) / present


def _probed(s: Suggestion, e: Evidence, recipe: Recipe, probe: Probe) -> Suggestion:
    gain = probe(changed(recipe, s.changes))
    faster = replace(e, compute_cpu=e.compute_cpu / gain) if gain else e
    predicted = _promise(faster, e.loader, gain * e.compute, overlapped=e.overlapped, now=e) if gain else 0.0
    return replace(s, predicted=predicted)


def _possible(suggestion: Suggestion, recipe: Recipe) -> bool:
    """Whether it changes something and leaves a recipe that can be trained."""
    try:
        return changed(recipe, suggestion.changes) != recipe
    except RecipeError:
        return False


Candidates = Callable[[Evidence, Recipe], Iterator[Suggestion]]


def _feeding(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    """Other ways to the same batches."""
    if e.device_loader is not None:
        yield Suggestion(
            "Use the device pipeline: the set fits, and whole batches are gathered and augmented where they are used.",
            {"data.pipeline": "device"},
            _promise(e, e.device_loader, e.compute, overlapped=False),
        )
    if e.workers > e.cores and e.overlapped:
        yield _workers(
            max(1, e.cores - (not e.on_gpu)), e, f"more workers than {e.cores} cores only get in each other's way"
        )
        return
    if e.on_gpu and e.pipeline == "device":
        return  # how fast a worker's processor would augment was not measured
    counts = [n for n in range(1, e.cores + 1) if n > e.workers or e.pipeline == "device"]
    if counts:
        best = max(_with_workers(e, n) for n in counts)
        fewest = next(n for n in counts if _with_workers(e, n) >= 0.97 * best)
        yield _workers(fewest, e, "batches are then made while the network works")


def _with_workers(e: Evidence, workers: int) -> float:
    return _promise(e, workers * e.per_worker, e.compute, overlapped=True)


def _workers(count: int, e: Evidence, why: str) -> Suggestion:
    changes: dict[str, Any] = {"data.workers": count}
    if e.pipeline == "device":
        changes = {"data.pipeline": "loader", **changes}
    more = "fewer" if e.overlapped and count < e.workers else "more" if e.overlapped else "loader"
    predicted = None if more == "fewer" else _with_workers(e, count)
    return Suggestion(f"Use {more} workers, {count}: {why}.", changes, predicted)


def _keeping(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    """Between epochs and batches."""
    if e.overlapped and not recipe.data.persistent_workers and e.begin_share > 0:
        yield Suggestion(
            f"Keep the workers from epoch to epoch: starting them takes {100 * e.begin_share:.0f} % of one.",
            {"data.persistent_workers": True},
            e.end_to_end / (1 - e.begin_share) if e.begin_share < 1 else None,
        )


def _more_ready(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if e.overlapped and e.loader > 1.1 * e.compute and e.wait >= 0.1:
        yield Suggestion(
            "Keep more batches ready: the workers are fast enough on average, but the step waits for some batches.",
            {"data.prefetch": min(64, 4 * recipe.data.prefetch)},
        )


def _cheaper_transforms(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    """The dearest transform, where it dominates: without it the network learns something else."""
    if e.dearest_share >= 0.3 and e.dearest_transform in recipe.techniques:
        without = e.loader / (1 - e.dearest_share) if e.dearest_share < 1 else math.inf
        yield Suggestion(
            f"Replace '{e.dearest_transform}' with something cheaper: it takes {100 * e.dearest_share:.0f} % of making "
            "a batch. Tried without it; that changes what the network learns.",
            {f"techniques.{e.dearest_transform}.enabled": False},
            _promise(e, without, e.compute, overlapped=e.overlapped),
        )


def _copying(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if e.on_gpu and e.pipeline == "loader" and not recipe.data.pin_memory:
        yield Suggestion(
            "Pin the batches' memory: copies then overlap with the network's work.", {"data.pin_memory": True}
        )


def _serial_feeding(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    """A network that pauses while its batches are made; workers that idle cost nothing, however many they are."""
    if e.wait >= 0.1:
        yield from _feeding(e, recipe)


def _techniques_own(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    """What techniques know of their own speed: number formats, memory formats."""
    hints = (technique.speed_hint(recipe, on_gpu=e.on_gpu, bf16=e.bf16) for technique in TECHNIQUES)
    for hint in sorted(filter(None, hints), key=lambda hint: hint.rank):
        yield Suggestion(hint.why, hint.changes)


def _mode(recipe: Recipe) -> str:
    """How its steps are executed on a GPU."""
    return execution(recipe, "cuda").mode


def _recorded(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if e.on_gpu and _mode(recipe) in ("off", "default"):
        yield Suggestion(
            "Record whole steps as a CUDA graph: launching their operations one by one then costs nothing.",
            {"train.compile": "graph" if _mode(recipe) == "off" else "max"},
        )


def _compiled(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if e.on_gpu and _mode(recipe) in ("off", "graph"):
        yield Suggestion(
            "Compile the network: norms and activations are then fused with what is before them; it takes minutes to "
            "build.",
            {"train.compile": "default" if _mode(recipe) == "off" else "max"},
        )


def _bigger_batches(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if e.batch_scaling is not None:
        yield Suggestion(
            f"Use batches of {2 * e.batch_size}: a step has the same overhead for more images. The learning rate may "
            "have to grow with it.",
            {"data.batch_size": 2 * e.batch_size},
            _promise(e, e.loader, 2 * e.compute / e.batch_scaling, overlapped=e.overlapped),
        )


def _rarer_logging(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if recipe.train.log_every < 10 and 1 - e.phases.explained >= 0.1:
        yield Suggestion(
            f"Log every 50 steps: each time the step waits for its figures ({100 * (1 - e.phases.explained):.0f} % of "
            "a step lies between the phases).",
            {"train.log_every": 50},
            e.end_to_end / e.phases.explained,
        )


def _rarer_evaluation(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    odds, wanted = e.evaluation_share / (1 - e.evaluation_share), QUIET_EVALUATION / (1 - QUIET_EVALUATION)
    epochs = float(math.ceil(recipe.train.eval_every * odds / wanted))
    yield Suggestion(
        f"Evaluate every {epochs:g} epochs instead of {recipe.train.eval_every:g}.", {"train.eval_every": epochs}
    )


def _smaller_batches(e: Evidence, recipe: Recipe) -> Iterator[Suggestion]:
    if e.batch_size > 1:
        yield Suggestion(
            f"Use batches of {e.batch_size // 2}: they need about half the memory.",
            {"data.batch_size": e.batch_size // 2},
        )


_CANDIDATES: dict[Bound, tuple[Candidates, ...]] = {
    "loader": (_feeding, _keeping, _more_ready, _cheaper_transforms),
    "compute": (_serial_feeding, _more_ready, _techniques_own, _compiled, _bigger_batches),
    "launch": (_recorded, _serial_feeding, _bigger_batches),
    "sync": (_rarer_logging, _bigger_batches),
    "transfer": (_copying, _feeding),
    "memory": (_techniques_own, _smaller_batches),
    "evaluation": (_rarer_evaluation,),
    "unclear": (),
}
"""What to consider for each bound, group by group in this order."""
