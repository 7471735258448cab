"""Small builds on the embedded data set."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.checks.conftest import feeding, small_digits
from workbench.checks.run_checks import RunChecks
from workbench.control import Control
from workbench.data.base import DataSet
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.observer import Observer
from workbench.engine.state import Checkpoints
from workbench.engine.train import train
from workbench.engine.train_state import TrainState
from workbench.events import Event, Trained
from workbench.recipe import read_recipe
from workbench.step import StepContext

Make = Callable[..., Build]


@pytest.fixture
def make(digits_recipe: str, tmp_path: Path) -> Iterator[Make]:
    """Build the small recipe with overrides, perhaps on another data set; closed at the end."""
    made: list[Build] = []

    def _make(*overrides: str, device: str = "cpu", dataset: DataSet | None = None) -> Build:
        recipe = read_recipe(digits_recipe, overrides=overrides)
        made.append(build(recipe if dataset is None else feeding(recipe, dataset), device, tmp_path))
        return made[-1]

    yield _make
    for one in made:
        one.close()


@pytest.fixture
def make_small(make: Make) -> Make:
    """Build it on images of half the size: as many steps, a quarter of the time."""
    return functools.partial(make, dataset=small_digits())


def run(
    build: Build,
    control: Control | None = None,
    checkpoints: Checkpoints | None = None,
    resume: dict[str, Any] | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    checks: bool = False,
    observers: Iterable[Observer] = (),
    state: TrainState | None = None,
) -> list[Event]:
    """All events of a training, without checks unless asked for: they cost more than a few small steps."""
    events = []
    if checks:
        observers = [RunChecks(build), *observers]
    with backend(build.recipe):
        for event in train(build, control or Control(), checkpoints, resume, observers=observers, state=state):
            events.append(event)
            on_event(event)
    return events


class LooksAt(Observer):
    """Somebody who looks into one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def due(self, context: StepContext) -> bool:
        return context.step == self.step

    def observe(self, context: StepContext) -> None:
        pass


def weights(build: Build) -> dict[str, torch.Tensor]:
    """A copy of the model's state."""
    return {name: value.clone() for name, value in build.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether two states agree bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def some_steps(build: Build, steps: int) -> list[float]:
    """Take the first few steps and evaluate; the losses."""
    build = build.with_(steps=steps)
    losses = [event.loss for event in run(build) if isinstance(event, Trained)]
    assert losses
    return losses
