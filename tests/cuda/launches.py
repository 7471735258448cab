"""Counts what a steady training step of each packaged recipe launches, by kind: `python -m tests.cuda.launches`.

Nothing is computed while it counts, so a step of any size takes milliseconds; what is launched depends on shapes,
formats and settings, not on values. Counts say what the host has to do for a step, nothing of how long kernels take.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from tests.checks.conftest import digits, feeding
from tests.cuda import convolutions, numbers, runtime
from tests.cuda.host import on_cuda
from workbench.control import Control
from workbench.data.base import DataSet
from workbench.data.splits import ArraySplit
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.train import train
from workbench.events import Noted, Trained
from workbench.paths import natural, packaged_recipes
from workbench.recipe import Recipe, read_recipe
from workbench.step import Batch, Repeated, StepContext, as_written

Mode = Literal["off", "graph"]
MODES: tuple[Mode, ...] = ("off", "graph")
STEADY = 8
"""The step that is counted, from 0: libraries have been set up by then, and the step has been recorded."""
STEPS, BATCHES = 10, 14


@dataclass(frozen=True)
class Launches:
    """What the host did in one step.

    recorded: kernels, library calls and copies in the graph, which it need not launch one by one.
    by_name: how often each was launched, or recorded, by its name.
    """

    kernels: int
    library: int
    copies: int
    graphs: int
    recorded: int
    waits: int
    by_name: Counter[str]

    @property
    def total(self) -> int:
        """All that was launched one by one."""
        return self.kernels + self.library + self.copies + self.graphs


class Launching(TorchDispatchMode):
    """Operations are launched as they are; nothing is computed. cuDNN's convolutions are noted by name."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in convolutions.ON_THE_CPU and any(map(on_cuda, args)):
            return convolutions.launched(func, args)
        return func(*args, **(kwargs or {}))


def recipes() -> list[str]:
    """The packaged recipes' names."""
    return sorted((path.stem for path in packaged_recipes().glob("*.toml")), key=natural)


def counted(name: str, mode: Mode, *overrides: str) -> Launches:
    """What a steady step of a packaged recipe launches, at its own size, on images of its data set's shape.

    Raises RuntimeError where its step could not be recorded though ``mode`` asks for it.
    """
    with on_noise(name, f"train.compile={mode}", f"train.log_every={STEPS}", *overrides) as built:
        return _counted(built)


@contextmanager
def on_noise(name: str, *settings: str, batches: int = BATCHES) -> Iterator[Build]:
    """A packaged recipe at its own size on the device, on as many batches of images of its data set's shape."""
    recipe = read_recipe((packaged_recipes() / f"{name}.toml").read_text(), overrides=settings)
    recipe, _ = resolve_for_device(feeding(recipe, _images(recipe, batches)), "cuda:0")
    with TemporaryDirectory() as folder, backend(recipe):
        with numbers.computing():
            built = build(recipe, "cuda:0", Path(folder))
        try:
            yield built
        finally:
            built.close()


def train_a_little(built: Build, hear: Callable[[int], None]) -> None:
    """Train up to the first figures; each step is heard before it is begun. Raises RuntimeError as :func:`counted`."""
    training_inputs = Build.training_inputs

    def at_step(
        self: Build, batch: Batch, context: StepContext, repeated: Repeated = as_written
    ) -> tuple[Tensor, Tensor]:
        hear(context.step)
        return training_inputs(self, batch, context, repeated)

    with patch.object(Build, "training_inputs", at_step):
        _up_to_the_first_figures(built)


def _up_to_the_first_figures(built: Build) -> None:
    for event in train(built, Control()):
        if isinstance(event, Noted) and "cannot be recorded" in event.message:
            raise RuntimeError(event.message)
        if isinstance(event, Trained):
            break


def _counted(built: Build) -> Launches:
    with _disable_current_modes(), Launching(), runtime.listened(places=False) as log:
        train_a_little(built, lambda step: setattr(log, "step", step))
    done = [e for e in log.of("kernel", "library", "copy", "graph", step=STEADY) if not e.captured]
    recorded = [e for e in log.of("kernel", "library", "copy") if e.captured]
    kinds = Counter(e.kind for e in done)
    return Launches(
        kernels=kinds["kernel"],
        library=kinds["library"],
        copies=kinds["copy"],
        graphs=kinds["graph"],
        recorded=len(recorded),
        waits=len(log.waits(step=STEADY)),
        by_name=Counter(e.name for e in (*done, *recorded)),
    )


def _images(recipe: Recipe, batches: int = BATCHES) -> DataSet:
    """Noise of the shape of the recipe's data set, enough for an epoch that is longer than what is counted.

    The embedded set, which is always there, is taken as it is.
    """
    if (known := recipe.data_source.known()) is None:
        return digits()
    numbers_of = torch.Generator().manual_seed(0)
    count = batches * recipe.data.batch_size

    def split(count: int) -> ArraySplit:
        images = torch.randint(256, (count, *known.shape), generator=numbers_of, dtype=torch.uint8)
        return ArraySplit(images, torch.arange(count) % known.classes)

    classes = tuple(str(number) for number in range(known.classes))
    return DataSet(train=split(count), test=split(2 * known.classes), classes=classes, shape=known.shape)


def table(names: list[str]) -> Iterator[str]:
    """The counts as the lines of a table in Markdown."""
    yield "| recipe | step | kernels | library calls | copies, fills | graphs | launched | in the graph | waits |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in names:
        for mode in MODES:
            found = counted(name, mode)
            cells = (found.kernels, found.library, found.copies, found.graphs, found.total, found.recorded, found.waits)
            yield f"| `{name}` | {mode} | {' | '.join(map(str, cells))} |"


def on_the_stand_in(module: str, arguments: list[str]) -> None:
    """Start a module of ours anew on the stand-in, unless this process is on it."""
    if not runtime.present():
        command = [sys.executable, "-m", "tests.cuda", "--exec", sys.executable, "-m", module]
        os.execv(command[0], [*command, *arguments])


def main(arguments: list[str]) -> None:
    """Print the table of these recipes, or of all; with ``--names`` also what is launched, most often first."""
    on_the_stand_in("tests.cuda.launches", arguments)
    names = [name for name in arguments if not name.startswith("-")] or recipes()
    for line in table(names):
        print(line, flush=True)
    if "--names" in arguments:
        for name in names:
            print(f"\n{name}")
            for kernel, times in counted(name, "off").by_name.most_common():
                print(f"{times:5d} {kernel[:160]}")


if __name__ == "__main__":
    main(sys.argv[1:])
