"""Small builds on the embedded data set, and what the checks say about them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import avg_pool2d

from workbench.checks.base import chosen
from workbench.checks.run_checks import RunChecks
from workbench.control import Control
from workbench.data.base import DataSet, Split
from workbench.data.splits import ArraySplit
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.train import train
from workbench.events import CheckFinished, Event
from workbench.hooks import Hook
from workbench.recipe import Recipe, read_recipe
from workbench.recipe.registries import CHECKS
from workbench.step import StepContext

Make = Callable[..., Build]


@pytest.fixture
def make(digits_recipe: str, tmp_path: Path) -> Iterator[Make]:
    """Build the small recipe with overrides, perhaps on another data set; closed at the end."""
    made: list[Build] = []

    def _make(*overrides: str, dataset: DataSet | None = None) -> Build:
        recipe = read_recipe(digits_recipe, overrides=overrides)
        made.append(build(recipe if dataset is None else feeding(recipe, dataset), "cpu", tmp_path))
        return made[-1]

    yield _make
    for one in made:
        one.close()


@pytest.fixture
def make_small(make: Make) -> Make:
    """Build it on images of half the size: as many steps, a quarter of the time."""
    return functools.partial(make, dataset=small_digits())


def feeding(recipe: Recipe, dataset: DataSet) -> Recipe:
    """The recipe on a data set that is there already; it is written down as it was."""

    class Source:
        def __getattr__(self, name: str) -> Any:
            return getattr(recipe.data_source, name)

        def load(self, *arguments: Any) -> DataSet:
            return dataset

    return recipe.model_copy(update={"data_source": Source()})


def digits() -> DataSet:
    """The embedded data set."""
    source = read_recipe("", consistent=False).data_source
    found: DataSet = source.load(Path())  # type: ignore[attr-defined]
    return found


@functools.cache
def small_digits(train: int | None = None, test: int | None = None) -> DataSet:
    """The first of the embedded digits, or all of them, at 16×16: a step costs a quarter of one at 32×32."""
    whole = digits()

    def halved(split: Split, count: int | None) -> ArraySplit:
        images = avg_pool2d(split.images()[:count].float(), 2).round().to(torch.uint8)
        return split_of(images, split.labels[:count])

    return DataSet(
        train=halved(whole.train, train),
        test=halved(whole.test, test),
        classes=whole.classes,
        shape=(3, 16, 16),
    )


def split_of(images: torch.Tensor, labels: torch.Tensor) -> ArraySplit:
    """Some images as a split."""
    return ArraySplit(images.contiguous(), labels.contiguous())


def before(build: Build, *only: str) -> dict[str, CheckFinished]:
    """What the checks before a run say, by their names in a recipe: those that are on, or those of these names."""
    found = {}
    for spec in chosen(build.recipe, "before", only):
        result = spec.examine(build)
        if result is not None:
            found[spec.name] = spec.event(result)
    return found


def wrong(found: dict[str, CheckFinished]) -> dict[str, str]:
    """The verdicts of those that raise something."""
    return {name: check.verdict for name, check in found.items() if check.verdict in ("warn", "fail")}


def whole_run(build: Build, folder: Path | None = None, *, checks: bool = True) -> list[Event]:
    """Every event of a training."""
    with backend(build.recipe):
        return list(train(build, Control(), observers=[RunChecks(build, folder, on=checks)]))


def said(events: list[Event]) -> dict[str, CheckFinished]:
    """The last word of every check, by its name in a recipe."""
    names = {spec.title: spec.name for spec in CHECKS}
    return {names[event.name]: event for event in events if isinstance(event, CheckFinished)}


class Counter:
    """step: updates done in the present training."""

    step = 0


def counting(build: Build) -> Counter:
    """The steps of a build's training, for what breaks at one of them."""
    counter = Counter()

    def count(context: StepContext, skip: torch.Tensor) -> None:
        counter.step = context.step + 1

    build.hooks.after_step.add(count, name="counting")
    return counter


def plant(hook: Hook[..., Any], function: Callable[..., Any]) -> None:
    """Put a fault at a hook."""
    hook.add(function, name="planted")
