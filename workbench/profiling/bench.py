"""How fast a recipe's steps are in each mode of execution and with each pipeline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.threads import use_threads
from workbench.profiling.floor import Floor, measure_floor
from workbench.profiling.parts import Training, working_copy
from workbench.profiling.report import MeasuringProgress, Throughput
from workbench.profiling.throughput import throughput
from workbench.recipe import Recipe

ROUNDS = 5
"""Every variant is measured so many times, in turns, so that what else the machine does meets all of them."""


@dataclass(frozen=True)
class Variant:
    """A mode of execution with a pipeline, as measured. floor_share: the floor's share of a step, None if unknown."""

    compile: str
    pipeline: str
    rate: Throughput
    milliseconds: float
    floor_share: float | None
    notes: list[str]


@dataclass(frozen=True)
class Bench:
    """What ``workbench bench`` says. notes: what the device has in place of what the recipe says."""

    recipe: str
    device: str
    batch_size: int
    threads: int
    floor: Floor | None
    notes: list[str]
    variants: list[Variant]


def bench(
    recipe: Recipe, device: str, data_root: Path, seconds: float, modes: Sequence[str], pipelines: Sequence[str]
) -> Iterator[MeasuringProgress | Bench]:
    """Measure every mode with every pipeline, about ``seconds`` each, in turns; the last value is the result.

    The steps are those of the training loop itself, on copies that learn nothing. Raises what building raises.
    """
    recipe, notes = resolve_for_device(recipe, device)
    with ExitStack() as stack:
        stack.enter_context(backend(recipe, device))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        parts: dict[tuple[str, str], Training] = {}
        for mode in modes:
            for pipeline in pipelines:
                yield MeasuringProgress(f"building {mode} with the {pipeline} pipeline", 0.0)
                built = build(_variant(recipe, mode, pipeline), device, data_root)
                stack.callback(built.close)
                if not parts:  # the same number for all: to choose again would be among no more than the first choice
                    use_threads(built)
                part = Training(working_copy(built), seconds / ROUNDS, folder)
                stack.callback(part.close)
                part.window()  # compiles, records, settles
                parts[mode, pipeline] = part
        floor = measure_floor(built)
        turns = [(turn, name) for turn in range(ROUNDS) for name in parts]
        for done, (turn, name) in enumerate(turns):
            yield MeasuringProgress(
                f"{' with the '.join(name)} pipeline, window {turn + 1} of {ROUNDS}", done / len(turns)
            )
            parts[name].window()
        yield Bench(
            recipe=recipe.name,
            device=device,
            batch_size=recipe.data.batch_size,
            threads=torch.get_num_threads(),
            floor=floor,
            notes=notes,
            variants=[_found(name, part, floor) for name, part in parts.items()],
        )


def _variant(recipe: Recipe, mode: str, pipeline: str) -> Recipe:
    train = recipe.train.model_copy(update={"compile": mode})
    data = recipe.data.model_copy(update={"pipeline": pipeline})
    return recipe.model_copy(update={"train": train, "data": data})


def _found(name: tuple[str, str], part: Training, floor: Floor | None) -> Variant:
    windows = part.windows[1:]
    milliseconds = 1000 * sum(w.seconds for w in windows) / sum(w.steps for w in windows)
    share = None if floor is None else 1000 * floor.seconds / milliseconds
    return Variant(*name, throughput([w.images_per_second for w in windows]), milliseconds, share, part.notes)
