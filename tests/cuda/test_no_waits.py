"""No steady step waits for the device: between two points of the curves, the host only ever goes ahead.

Counted by the driver, which sees more than torch reports: pageable copies and waits of its own as well. The first steps
may wait (autotuning, first uses), and so may what is said between steps; an epoch's first batch may not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.checks.conftest import feeding, small_digits
from tests.engine.conftest import Make
from tests.techniques.table import NAMES, fed, trial
from tests.test_recipes import FEW_CHANNELS, PATHS, Noise
from workbench.checks.run_checks import RunChecks
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.train import train
from workbench.recipe import Recipe, read_recipe_file

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

PIPELINES = {"device": ("data.pipeline=device",), "loader": ("data.pipeline=loader", "data.workers=0")}
QUIET = ("train.compile=off", "train.log_every=1000", "train.eval_every=1000", "train.checkpoint_every=1000")
"""Nothing is said between the steps, and nothing is recorded: the host waits before it does."""

FIRST = 2
"""Steps that may wait."""


@pytest.mark.parametrize(("name", "pipeline"), fed(NAMES))
def test_no_step_of_a_technique_waits(name: str, pipeline: str, tmp_path: Path, standin: ModuleType) -> None:
    """Three epochs of two steps."""
    recipe = trial(name, extra=(*PIPELINES[pipeline], *QUIET, "train.epochs=3"))
    assert waits_of(feeding(recipe, small_digits(128, 64)), tmp_path, standin) == []


@pytest.mark.parametrize("pipeline", ["device", pytest.param("loader", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_step_of_a_packaged_recipe_waits(path: Path, pipeline: str, tmp_path: Path, standin: ModuleType) -> None:
    """Four steps of eight images, the widest networks with fewer channels."""
    recipe = read_recipe_file(
        path, overrides=("data.batch_size=8", *QUIET, *PIPELINES[pipeline], *FEW_CHANNELS.get(path.stem, ()))
    )
    noise: Any = Noise(100 if recipe.data.source == "cifar100" else 10)
    assert waits_of(recipe.model_copy(update={"data_source": noise}), tmp_path, standin, steps=4) == []


def test_no_step_waits_for_what_the_checks_look_at(make: Make, standin: ModuleType) -> None:
    every = [f"checks.{name}.every=2" for name in ("gradient_norm", "update_ratio", "dead_units")]
    built = make(*QUIET, "train.epochs=1", *every, device="cuda")
    assert told(built, standin, checks=True) == []


def read(parameters: list[Tensor]) -> None:
    float(parameters[0].grad.sum())


def copy(parameters: list[Tensor]) -> None:
    torch.zeros(4).to(parameters[0].device)


def choose(parameters: list[Tensor]) -> None:
    parameters[0].grad[parameters[0].grad > 0]


@pytest.mark.parametrize("planted", [read, copy, choose])
def test_a_planted_wait_is_named_by_step_and_line(
    make: Make, standin: ModuleType, planted: Callable[[list[Tensor]], None]
) -> None:
    built = make(*QUIET, device="cuda")
    built = built.with_(steps=FIRST + 2)
    built.hooks.gradient_edits.add(planted, 0, "planted")
    found = told(built, standin)
    line = f"{Path(__file__).name}:{planted.__code__.co_firstlineno + 1}"
    assert {text.split(": ")[0] for text in found} == {f"step {FIRST}", f"step {FIRST + 1}"}
    assert all(line in text for text in found)


def waits_of(recipe: Recipe, folder: Path, standin: ModuleType, steps: int | None = None) -> list[str]:
    """Build a recipe and train it; what its steady steps waited for."""
    built = build(recipe, "cuda", folder)
    try:
        if steps is not None:
            built = built.with_(steps=steps)
        return told(built, standin)
    finally:
        built.close()


def told(built: Build, standin: ModuleType, *, checks: bool = False) -> list[str]:
    """Train; each wait of a step after the first ones: ``step N: what, at the line of Python``."""
    assert built.steps > FIRST
    with standin.listened() as log, backend(built.recipe):

        def count(context: Any, skip: Tensor) -> None:
            log.step = context.step + 1

        built.hooks.after_step.add(count, 1_000_000, "counted")
        for _ in train(built, Control(), observers=[RunChecks(built)] if checks else []):
            pass
    return [
        f"step {step}: {wait.name} at {place(wait)}" for step in range(FIRST, built.steps) for wait in log.waits(step)
    ]


def place(wait: Any) -> str:
    """The innermost line that is not torch's, and what led to it."""
    own = [f"{Path(file).name}:{line}" for file, line, _ in wait.places if "site-packages" not in file]
    return " < ".join(own[:3]) or "the backward pass"
